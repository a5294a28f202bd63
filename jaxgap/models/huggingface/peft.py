"""Adapters as PEFT stores them: `adapter_config.json` and `adapter_model.safetensors`.

PEFT adapts the modules of transformers. Where a family fuses projections (Phi-3), one adapter in
the file stands for several here: they share `A`, and each has its rows of `B`. Trained apart, their
`A` differ; then they are written exactly all the same, as one adapter whose rank is the sum of
theirs.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import safetensors.numpy

from jaxgap.models.config import DecoderConfig
from jaxgap.models.huggingface.save import new_folder, write_json
from jaxgap.models.huggingface.tensor_names import naming_of
from jaxgap.models.lora import LoraConfig, LoraTarget, Params, projection_size
from jaxgap.models.outside import Fields, ModelFileError, read_json
from jaxgap.models.safetensors_file import check_tensors, read_header

CONFIG_FILE, WEIGHTS_FILE = "adapter_config.json", "adapter_model.safetensors"
_MAX_RANK = 65_536
# What would change the arithmetic, and the values with which it does not.
_REQUIRED: dict[str, tuple[Any, ...]] = {
    "peft_type": ("LORA",),
    "use_dora": (False,),
    "lora_bias": (False,),
    "bias": ("none",),
    "fan_in_fan_out": (False,),
    "modules_to_save": ([],),
    "layers_to_transform": ([],),
    "layer_replication": ([],),
    "trainable_token_indices": ([],),
    "target_parameters": ([],),
    "init_lora_weights": (True, False, "gaussian"),
}


class _Module(NamedTuple):
    """A module of the file, and the projections it fuses, in order."""

    name: str
    members: tuple[tuple[str, str], ...]

    def tensor(self, layer: int, matrix: str) -> str:
        return f"base_model.model.model.layers.{layer}.{self.name}.lora_{matrix}.weight"

    def sizes(self, config: DecoderConfig) -> list[int]:
        return [projection_size(config, member)[1] for _, member in self.members]


def load_adapters(folder: str | Path, config: DecoderConfig) -> tuple[LoraConfig, Params]:
    """Adapters of a decoder, from a folder in PEFT's format.

    **Arguments:**

    - `folder`: with `adapter_config.json` and `adapter_model.safetensors`.
    - `config`: of the decoder they were made for.

    **Returns:** which projections have adapters, and these, in float32.

    **Raises:** `ModelFileError` in one line if a file is missing, damaged or hostile, if the
    adapters are of another kind than plain LoRA, or fit another model.
    """
    folder = Path(folder)
    fields = Fields(read_json(folder / CONFIG_FILE), str(folder / CONFIG_FILE))
    for name, allowed in _REQUIRED.items():
        value = fields.values.get(name)
        if value is not None and value not in allowed:
            raise fields.error(name, f"{allowed[0]!r}: nothing else is supported")
    entries = read_header(folder / WEIGHTS_FILE)
    modules = [module for module in _modules(config) if module.tensor(0, "A") in entries]
    if not modules:
        raise ModelFileError(f"{folder / WEIGHTS_FILE}: no adapters of projections of this decoder")
    ranks = {module: _rank(fields, module) for module in modules}
    expected = {}
    for layer in range(config.num_layers):
        for module, rank in ranks.items():
            inputs = projection_size(config, module.members[0][1])[0]
            expected[module.tensor(layer, "A")] = (rank, inputs)
            expected[module.tensor(layer, "B")] = (sum(module.sizes(config)), rank)
    check_tensors({n: entry.shape for n, entry in entries.items()}, expected, folder / WEIGHTS_FILE)
    targets, blocks = [], {}
    for module, rank in ranks.items():
        scale = _scale(fields, module, rank)
        targets += [LoraTarget(member, rank, scale) for _, member in module.members]
        for layer in range(config.num_layers):
            matrices = (entries[module.tensor(layer, matrix)].read() for matrix in "AB")
            _split(blocks.setdefault(layer, {}), module, module.sizes(config), *matrices)
    return LoraConfig(tuple(targets)), {"blocks": blocks}


def save_adapters(
    folder: str | Path,
    config: DecoderConfig,
    lora: LoraConfig,
    adapters: Params,
    *,
    base_model: str = "",
) -> None:
    """Write adapters so that PEFT, vLLM and llama.cpp's converter read them.

    **Arguments:**

    - `folder`: must not exist, or be empty.
    - `config`: of the decoder.
    - `lora`, `adapters`: as :func:`load_adapters` or :func:`jaxgap.models.init_adapters` give them.
    - `base_model`: name or folder of the model they belong to, noted in the file.

    **Raises:** `InputError` if the folder holds something.
    """
    tensors: dict[str, np.ndarray] = {}
    ranks: dict[str, int] = {}
    alphas: dict[str, float] = {}
    for module in _modules(config):
        if not any(lora.target(member) for _, member in module.members):
            continue
        short = module.name.rpartition(".")[2]
        # One rank a module: only if every layer can share `A` are they written so.
        joined = [
            _join(block, module, config, lora) for _, block in sorted(adapters["blocks"].items())
        ]
        shared = all(pair is not None for pair in joined)
        for layer, block in sorted(adapters["blocks"].items()):
            pair = joined[layer] if shared else _stack(block, module, config, lora)
            assert pair is not None
            for matrix, values in zip("AB", pair, strict=True):
                tensors[module.tensor(layer, matrix)] = np.ascontiguousarray(values)
            ranks[short] = pair[0].shape[0]
        alphas[short] = _module_scale(module, lora) * ranks[short]
    with new_folder(Path(folder)) as path:
        write_json(path / CONFIG_FILE, _adapter_config(ranks, alphas, base_model))
        safetensors.numpy.save_file(tensors, path / WEIGHTS_FILE, {"format": "pt"})


def _adapter_config(
    ranks: dict[str, int], alphas: dict[str, float], base_model: str
) -> dict[str, Any]:
    rank, alpha = next(iter(ranks.values())), next(iter(alphas.values()))
    return {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": base_model,
        "r": rank,
        "lora_alpha": alpha,
        "rank_pattern": {name: other for name, other in ranks.items() if other != rank},
        "alpha_pattern": {name: other for name, other in alphas.items() if other != alpha},
        "target_modules": list(ranks),
        "lora_dropout": 0.0,
        "bias": "none",
        "fan_in_fan_out": False,
        "inference_mode": True,
    }


def _modules(config: DecoderConfig) -> list[_Module]:
    return [
        _Module(name, tuple((part, member) for part, member in (m.split(".") for m in members)))
        for name, members in naming_of(config).modules
        if "norm" not in name
    ]


def _stated(fields: Fields, name: str, patterns: str, module: _Module) -> tuple[Fields, str]:
    """Where a number for this module stands: in a table by the end of its name, or for all."""
    table = Fields(_table(fields, patterns), f"{fields.where}: {patterns}")
    for key in table.values:
        if module.name == key or module.name.endswith("." + key):
            return table, key
    return fields, name


def _rank(fields: Fields, module: _Module) -> int:
    place, name = _stated(fields, "r", "rank_pattern", module)
    return place.integer(name, maximum=_MAX_RANK)


def _scale(fields: Fields, module: _Module, rank: int) -> float:
    place, name = _stated(fields, "lora_alpha", "alpha_pattern", module)
    stabilised = fields.boolean("use_rslora", False)
    return place.number(name) / (math.sqrt(rank) if stabilised else rank)


def _table(fields: Fields, name: str) -> dict[str, Any]:
    """A table from ends of module names to numbers; names of single layers are refused."""
    table = fields.values.get(name) or {}
    if not isinstance(table, dict) or not all(key.replace("_", "").isalpha() for key in table):
        raise fields.error(name, "an object from names such as q_proj to numbers")
    return table


def _split(block: Params, module: _Module, sizes: list[int], a: np.ndarray, b: np.ndarray) -> None:
    start = 0
    for (part, member), size in zip(module.members, sizes, strict=True):
        block.setdefault(part, {})[member] = {
            "lora_a": jnp.asarray(np.ascontiguousarray(a.T), jnp.float32),
            "lora_b": jnp.asarray(np.ascontiguousarray(b[start : start + size].T), jnp.float32),
        }
        start += size


def _module_scale(module: _Module, lora: LoraConfig) -> float:
    return next(target.scale for _, member in module.members if (target := lora.target(member)))


def _members(
    block: Params, module: _Module, config: DecoderConfig, lora: LoraConfig
) -> list[tuple[np.ndarray | None, np.ndarray, int]]:
    """`A`, `B` (as PEFT has them, scales made equal) and outputs of each projection fused."""
    members = []
    for (part, member), size in zip(module.members, module.sizes(config), strict=True):
        target = lora.target(member)
        if target is None:
            members.append((None, np.zeros((size, 0), np.float32), size))
            continue
        adapter = jax.device_get(block[part][member])
        ratio = np.float32(target.scale / _module_scale(module, lora))
        members.append((adapter["lora_a"].T, adapter["lora_b"].T * ratio, size))
    return members


def _join(
    block: Params, module: _Module, config: DecoderConfig, lora: LoraConfig
) -> tuple[np.ndarray, np.ndarray] | None:
    """One adapter of the same rank, if all the projections fused have the same `A`."""
    members = _members(block, module, config, lora)
    first = members[0][0]
    if first is None or not all(a is not None and np.array_equal(a, first) for a, _, _ in members):
        return None
    return first, np.concatenate([b for _, b, _ in members])


def _stack(
    block: Params, module: _Module, config: DecoderConfig, lora: LoraConfig
) -> tuple[np.ndarray, np.ndarray]:
    """One adapter of the ranks' sum: the `A` stacked, the `B` in blocks down the diagonal."""
    members = _members(block, module, config, lora)
    a = np.concatenate([a for a, _, _ in members if a is not None])
    b = np.zeros((sum(size for _, _, size in members), a.shape[0]), a.dtype)
    row = column = 0
    for _, part, size in members:
        b[row : row + size, column : column + part.shape[1]] = part
        row, column = row + size, column + part.shape[1]
    return a, b
