"""Weights in safetensors files, checked before anything of their size is allocated.

A file is a little-endian 64-bit header length, a JSON header that gives each tensor's dtype, shape
and byte range, and the bytes. What a file may hold is known from the decoder's configuration, so a
truncated, oversized, mismatched or malicious file is refused from its header alone; nothing in it
is ever executed or unpickled.
"""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import safetensors.numpy

from jaxgap.errors import InputError
from jaxgap.models.language_model import Params

_DTYPES: dict[str, Any] = {
    "F32": np.dtype(np.float32),
    "F16": np.dtype(np.float16),
    "BF16": np.dtype(ml_dtypes.bfloat16),
}
_MAX_HEADER_BYTES = 100_000_000  # the limit of the safetensors library itself


class WeightsError(InputError):
    """A weights file that cannot be used, said in one line."""


def save_weights(path: str | Path, params: Params, dtype: Any = jnp.bfloat16) -> None:
    """Write parameters as safetensors, each tensor named by its path joined with dots.

    **Arguments:**

    - `path`: the file.
    - `params`: a nested dict of arrays.
    - `dtype`: the floating type stored.
    """
    flat = {name: np.asarray(leaf).astype(dtype) for name, leaf in _flatten(params).items()}
    safetensors.numpy.save_file(flat, str(path))


def load_weights(path: str | Path, shapes: Params) -> Params:
    """Read parameters of known names and shapes from a safetensors file, as float32.

    **Arguments:**

    - `path`: the file.
    - `shapes`: a nested dict with anything that has a `shape`, as `LanguageModel.shapes` gives.

    **Returns:** a nested dict like `shapes`, of arrays.

    **Raises:** `WeightsError` in one line, before the tensors are read, if the file is not
    safetensors, is truncated or longer than its header says, or if names, shapes or dtypes are not
    those expected.
    """
    path = Path(path)
    expected = _flatten(shapes)
    with path.open("rb") as file:
        header, data_start = _read_header(file, path)
        _check_tensors(header, expected, os.fstat(file.fileno()).st_size - data_start, path)
        arrays = {}
        for name, leaf in expected.items():
            begin, end = header[name]["data_offsets"]
            file.seek(data_start + begin)
            stored = np.frombuffer(file.read(end - begin), _DTYPES[header[name]["dtype"]])
            arrays[name] = jnp.asarray(stored.reshape(leaf.shape).astype(np.float32))
    treedef = jax.tree.structure(shapes)
    return jax.tree.unflatten(treedef, [arrays[name] for name in expected])


def _flatten(params: Params) -> dict[str, Any]:
    paths, _ = jax.tree.flatten_with_path(params)
    return {".".join(str(key.key) for key in path): leaf for path, leaf in paths}


def _read_header(file, path: Path) -> tuple[dict[str, Any], int]:
    size = os.fstat(file.fileno()).st_size
    prefix = file.read(8)
    length = int.from_bytes(prefix, "little")
    if len(prefix) < 8 or length > min(size - 8, _MAX_HEADER_BYTES):
        raise WeightsError(f"{path}: not a safetensors file, or truncated in its header")
    try:
        header = json.loads(file.read(length))
    except (ValueError, RecursionError):
        raise WeightsError(f"{path}: the safetensors header is not valid JSON") from None
    if not isinstance(header, dict):
        raise WeightsError(f"{path}: the safetensors header is not a JSON object")
    header.pop("__metadata__", None)
    return header, 8 + length


def _check_tensors(
    header: dict[str, Any], expected: dict[str, Any], num_bytes: int, path: Path
) -> None:
    missing, unknown = sorted(expected.keys() - header), sorted(header.keys() - expected.keys())
    if missing or unknown:
        kind, names = ("missing", missing) if missing else ("unknown", unknown)
        raise WeightsError(f"{path}: {len(names)} {kind} tensors, for example {names[0]!r:.80}")
    covered = []
    for name, leaf in expected.items():
        entry = header[name]
        if not isinstance(entry, dict) or str(entry.get("dtype")) not in _DTYPES:
            raise WeightsError(f"{path}: tensor {name!r} must have a dtype of {sorted(_DTYPES)}")
        if entry.get("shape") != list(leaf.shape):
            shape = f"{entry.get('shape')!r:.80}"
            raise WeightsError(f"{path}: tensor {name!r} must have shape {leaf.shape}, got {shape}")
        expected_bytes = math.prod(leaf.shape) * _DTYPES[entry["dtype"]].itemsize
        covered.append(_byte_range(entry, expected_bytes, f"{path}: tensor {name!r}"))
    _check_contiguous(sorted(covered), num_bytes, path)


def _byte_range(entry: dict[str, Any], num_bytes: int, where: str) -> tuple[int, int]:
    offsets = entry.get("data_offsets")
    if not (
        isinstance(offsets, list)
        and len(offsets) == 2
        and all(type(offset) is int and offset >= 0 for offset in offsets)
        and offsets[1] - offsets[0] == num_bytes
    ):
        raise WeightsError(f"{where} must span {num_bytes} bytes, got offsets {offsets!r:.80}")
    return offsets[0], offsets[1]


def _check_contiguous(ranges: list[tuple[int, int]], num_bytes: int, path: Path) -> None:
    position = 0
    for begin, end in ranges:
        if begin != position:
            raise WeightsError(f"{path}: tensors overlap or leave a gap at byte {position}")
        position = end
    if position != num_bytes:
        problem = "truncated" if position > num_bytes else "longer than its header says"
        raise WeightsError(f"{path}: {problem}: {num_bytes} bytes of tensors, header: {position}")
