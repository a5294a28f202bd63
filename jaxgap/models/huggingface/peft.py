"""Adapters as PEFT stores them: `adapter_config.json` and `adapter_model.safetensors`.

PEFT adapts the modules of transformers. If a family fuses projections (Phi-3), one adapter in the
file corresponds to several here: they share `A`, and each has its rows of `B`. Trained separately,
their `A` differ; they are still written exactly, as one adapter whose rank is the sum of theirs.
All adapters of a file are written with one rank, padded with zeros, and one scale, since llama.cpp
supports nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from jaxgap.models.config import DecoderConfig
from jaxgap.models.huggingface.adapter_config import (
    CONFIG_FILE,
    adapter_json,
    check_plain_lora,
    read_rank,
    read_scale,
)
from jaxgap.models.huggingface.adapter_module import (
    AdapterModule,
    adapter_modules,
    fuse,
    pad,
    split,
)
from jaxgap.models.huggingface.save import new_folder, write_json
from jaxgap.models.lora import LoraConfig, LoraTarget
from jaxgap.models.model_files import Fields, ModelFileError, pickle_error, read_json
from jaxgap.models.params import Params
from jaxgap.models.safetensors_file import Entry, check_tensors, read_header, write_tensors

WEIGHTS_FILE = "adapter_model.safetensors"


def load_adapters(folder: str | Path, config: DecoderConfig) -> tuple[LoraConfig, Params]:
    """Adapters of a decoder, from a folder in PEFT's format.

    **Arguments:**

    - `folder`: with `adapter_config.json` and `adapter_model.safetensors`.
    - `config`: of the decoder they were made for.

    **Returns:** which projections have adapters, and the adapters in float32.

    **Raises:** `ModelFileError` in one line if a file is missing, damaged or hostile, or if the
    adapters are not plain LoRA or belong to another model.
    """
    folder = Path(folder)
    fields = Fields(read_json(folder / CONFIG_FILE), str(folder / CONFIG_FILE))
    check_plain_lora(fields)
    entries = _read_entries(folder)
    modules = _adapted(config, entries, folder / WEIGHTS_FILE)
    ranks = {module: read_rank(fields, module.name) for module in modules}
    found = {name: entry.shape for name, entry in entries.items()}
    check_tensors(found, dict(_shapes(ranks, config.num_layers)), folder / WEIGHTS_FILE)
    targets, blocks = [], {}
    for module, rank in ranks.items():
        scale = read_scale(fields, module.name, rank)
        targets += [LoraTarget(member, rank, scale) for _, member in module.members]
        for layer in range(config.num_layers):
            matrices = (entries[module.tensor(layer, matrix)].read() for matrix in "AB")
            split(blocks.setdefault(layer, {}), module, *matrices)
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

    They compute the same up to rounding, but their ranks may change: see the module's docstring.

    **Arguments:**

    - `folder`: must not exist, or be empty.
    - `config`: of the decoder.
    - `lora`, `adapters`: as for :func:`load_adapters` and :func:`jaxgap.models.init_adapters`.
    - `base_model`: name or folder of the model they belong to, recorded in the file.

    **Raises:** `InputError` if the folder is not empty.
    """
    modules = [
        module
        for module in adapter_modules(config)
        if any(lora.target(member) for _, member in module.members)
    ]
    # The first one's scale, so that adapters of equal scale, as from training, stay bit-identical.
    scale = lora.targets[0].scale
    fused = {
        (module, layer): fuse(block, module, lora, scale)
        for module in modules
        for layer, block in adapters["blocks"].items()
    }
    rank = max(a.shape[0] for a, _ in fused.values())
    tensors = {
        module.tensor(layer, matrix): np.ascontiguousarray(values)
        for (module, layer), pair in fused.items()
        for matrix, values in zip("AB", pad(*pair, rank), strict=True)
    }
    with new_folder(Path(folder), last=CONFIG_FILE) as path:
        names = [module.short_name for module in modules]
        write_json(path / CONFIG_FILE, adapter_json(names, rank, scale, base_model))
        write_tensors(path / WEIGHTS_FILE, tensors, format="pt")


def _read_entries(folder: Path) -> dict[str, Entry]:
    path = folder / WEIGHTS_FILE
    pickle = path.with_suffix(".bin")
    if pickle.exists() and not path.exists():
        raise pickle_error(pickle, WEIGHTS_FILE)
    return read_header(path)


def _adapted(config: DecoderConfig, entries: dict[str, Entry], path: Path) -> list[AdapterModule]:
    """The modules that have adapters, in every layer."""
    layers = range(config.num_layers)
    modules = []
    for module in adapter_modules(config):
        without = [layer for layer in layers if module.tensor(layer, "A") not in entries]
        if 0 < len(without) < len(layers):
            problem = f"no adapter of {module.name} in layer {without[0]}; all layers must have one"
            raise ModelFileError(f"{path}: {problem}")
        if not without:
            modules.append(module)
    if not modules:
        raise ModelFileError(f"{path}: no adapters of projections of this decoder")
    return modules


def _shapes(
    ranks: dict[AdapterModule, int], num_layers: int
) -> Iterator[tuple[str, tuple[int, ...]]]:
    for module, rank in ranks.items():
        for layer in range(num_layers):
            yield module.tensor(layer, "A"), (rank, module.inputs)
            yield module.tensor(layer, "B"), (sum(module.sizes), rank)
