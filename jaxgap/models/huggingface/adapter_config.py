"""`adapter_config.json`: which of PEFT's settings are read, and which are written."""

from __future__ import annotations

import math
import re
from typing import Any

from jaxgap.models.model_files import Fields, ModelFileError

CONFIG_FILE = "adapter_config.json"
_MAX_RANK = 65_536
# Letters only: a number would be a layer's, and other characters a regular expression.
_MODULE = re.compile(r"[A-Za-z_]+(\.[A-Za-z_]+)*")
# With other values adapters would not compute plain LoRA.
_REQUIRED: dict[str, tuple[Any, ...]] = {
    "peft_type": ("LORA",),
    "bias": ("none",),
    # The values that leave the base weights unchanged.
    "init_lora_weights": (True, False, "gaussian", "orthogonal"),
}
# Read here, or without effect on what trained adapters compute: the tensors' names say where they
# belong.
_HARMLESS = frozenset(
    (
        "r",
        "lora_alpha",
        "rank_pattern",
        "alpha_pattern",
        "use_rslora",
        "lora_dropout",
        "target_modules",
        "exclude_modules",
        "layers_pattern",
        "task_type",
        "auto_mapping",
        "base_model_name_or_path",
        "revision",
        "inference_mode",
        "peft_version",
        "megatron_core",
        "qalora_group_size",
        "ensure_weight_tying",
    )
)


def check_plain_lora(fields: Fields) -> None:
    """Refuse everything but plain LoRA, including unknown settings.

    PEFT adds a setting for every variant (DoRA, aLoRA, QALoRA, ...), empty if it is not used.

    **Raises:** `ModelFileError` in one line.
    """
    for name, allowed in _REQUIRED.items():
        value = fields.values.get(name)
        if value is not None and value not in allowed:
            raise fields.error(name, f"{allowed[0]!r}: nothing else is supported")
    for name in sorted(fields.values.keys() - _REQUIRED.keys() - _HARMLESS):
        if fields.values[name]:
            problem = "must be absent or empty: only plain LoRA is supported"
            raise ModelFileError(f"{fields.where}: {name!r:.80} {problem}")


def read_rank(fields: Fields, module: str) -> int:
    """The rank of a module's adapters."""
    place, name = _stated(fields, "r", "rank_pattern", module)
    return place.integer(name, maximum=_MAX_RANK)


def read_scale(fields: Fields, module: str, rank: int) -> float:
    """The factor of the product of a module's adapters."""
    place, name = _stated(fields, "lora_alpha", "alpha_pattern", module)
    stabilised = fields.boolean("use_rslora", False)
    return place.number(name) / (math.sqrt(rank) if stabilised else rank)


def adapter_json(modules: list[str], rank: int, scale: float, base_model: str) -> dict[str, Any]:
    """The settings of adapters that all have the same rank and scale.

    No patterns: llama.cpp's converter drops them, and its adapters have one alpha per file.
    """
    return {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": base_model,
        "r": rank,
        "lora_alpha": scale * rank,
        "rank_pattern": {},
        "alpha_pattern": {},
        "target_modules": modules,
        "lora_dropout": 0.0,
        "bias": "none",
        "fan_in_fan_out": False,
        "inference_mode": True,
    }


def _stated(fields: Fields, name: str, patterns: str, module: str) -> tuple[Fields, str]:
    """Where a module's number is found: in a table by the end of its name, or the common one."""
    table = Fields(_table(fields, patterns), f"{fields.where}: {patterns}")
    for key in table.values:
        # PEFT's own rule: the first match counts, and the names are regular expressions.
        if re.fullmatch(rf"(.*\.)?({key})", module):
            return table, key
    return fields, name


def _table(fields: Fields, name: str) -> dict[str, Any]:
    """A table from ends of module names to numbers; names of single layers are refused."""
    table = fields.values.get(name) or {}
    if not isinstance(table, dict) or not all(map(_MODULE.fullmatch, table)):
        raise fields.error(
            name, "an object from names such as q_proj or self_attn.q_proj to numbers"
        )
    return table
