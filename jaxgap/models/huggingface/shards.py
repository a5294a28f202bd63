"""The safetensors files of a Hugging Face folder: one, or several with an index."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from jaxgap.models.model_files import ModelFileError, pickle_error, read_json
from jaxgap.models.safetensors_file import Entry, read_header

SINGLE = "model.safetensors"
INDEX = "model.safetensors.index.json"
_SHARD = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,200}\.safetensors")
_MAX_SHARDS = 10_000
# Constants in older files that follow from the configuration; indices list them or not.
_DERIVED = re.compile(r"(model\.)?(layers\.\d+\.self_attn\.)?rotary_emb\.inv_freq")


def read_entries(folder: Path) -> dict[str, Entry]:
    """The tensors of a folder that its configuration does not imply, from the files' headers.

    **Raises:** `ModelFileError` in one line if there are no safetensors, if a file is refused, or
    if the index names a file outside the folder or disagrees with the files.
    """
    # An index beside the single file is a leftover: transformers also prefers the file.
    if (folder / SINGLE).exists():
        return _weights(read_header(folder / SINGLE))
    if (folder / INDEX).exists():
        return _indexed(folder)
    pickles = sorted(
        path.name for pattern in ("*.bin", "*.pt", "*.pth") for path in folder.glob(pattern)
    )
    if pickles:
        raise pickle_error(folder / pickles[0], SINGLE)
    raise ModelFileError(f"{folder}: no {SINGLE} and no {INDEX}")


def _indexed(folder: Path) -> dict[str, Entry]:
    path = folder / INDEX
    weight_map = read_json(path).get("weight_map")
    if not isinstance(weight_map, dict) or not weight_map:
        raise ModelFileError(f"{path}: weight_map must be an object that names a file a tensor")
    for name in weight_map.values():
        # A bare name: no folder, no parent, no absolute path.
        if not isinstance(name, str) or not _SHARD.fullmatch(name):
            raise ModelFileError(f"{path}: {name!r:.80} is not the name of a safetensors file")
    shards = sorted(set(weight_map.values()))
    weight_map = _weights(weight_map)
    if len(shards) > _MAX_SHARDS:
        raise ModelFileError(f"{path}: {len(shards)} files; at most {_MAX_SHARDS} are read")
    entries: dict[str, Entry] = {}
    for shard in shards:
        for name, entry in _weights(read_header(folder / shard)).items():
            if weight_map.get(name) != shard:
                raise ModelFileError(f"{path}: does not say that {shard} holds {name!r:.80}")
            entries[name] = entry
    missing = sorted(weight_map.keys() - entries.keys())
    if missing:
        raise ModelFileError(f"{path}: {missing[0]!r:.80} is not in {weight_map[missing[0]]}")
    return entries


def _weights(named: dict[str, Any]) -> dict[str, Any]:
    """What is named after tensors, without the derived ones."""
    return {name: value for name, value in named.items() if not _DERIVED.fullmatch(name)}
