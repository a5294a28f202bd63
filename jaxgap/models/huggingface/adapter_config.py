"""`adapter_config.json`: what of PEFT's settings is read, and what is written."""

from __future__ import annotations

import math
import re
from typing import Any

from jaxgap.models.model_files import Fields, ModelFileError

_MAX_RANK = 65_536
# Letters alone: a number would be that of a layer, and other signs a regular expression.
_MODULE = re.compile(r"[A-Za-z_]+(\.[A-Za-z_]+)*")
# With other values adapters would compute something else than plain LoRA.
_REQUIRED: dict[str, tuple[Any, ...]] = {
    "peft_type": ("LORA",),
    "bias": ("none",),
    # Those that leave the weights of the base as they are.
    "init_lora_weights": (True, False, "gaussian", "orthogonal"),
}
# Read here, or without effect on what trained adapters compute: the tensors say where they are.
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
    """Refuse what is not plain LoRA, settings that nobody here has heard of included.

    PEFT adds a setting with every variant (DoRA, aLoRA, QALoRA, ...), empty where it is not used.

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
    """What the product of a module's adapters is multiplied by."""
    place, name = _stated(fields, "lora_alpha", "alpha_pattern", module)
    stabilised = fields.boolean("use_rslora", False)
    return place.number(name) / (math.sqrt(rank) if stabilised else rank)


def adapter_json(modules: list[str], rank: int, scale: float, base_model: str) -> dict[str, Any]:
    """The settings of adapters that all have one rank and one scale.

    No patterns: llama.cpp's converter drops them, and its adapters have one alpha a file.
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
    """Where a number for a module stands: in a table by the end of its name, or for all."""
    table = Fields(_table(fields, patterns), f"{fields.where}: {patterns}")
    for key in table.values:
        # PEFT's own rule, the first that fits; its names are regular expressions.
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
