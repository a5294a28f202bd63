"""Safetensors files, validated before memory for the tensors is allocated.

A file is a little-endian 64-bit header length, a JSON header with each tensor's dtype, shape and
byte range, and the bytes. A truncated, oversized or malicious file is refused based on its header
and size alone; nothing in it is ever executed or unpickled.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, NamedTuple

import ml_dtypes
import numpy as np
import safetensors
import safetensors.numpy

from jaxgap.atomic_files import current_umask
from jaxgap.errors import write_failure
from jaxgap.models.model_files import MAX_JSON_BYTES, ModelFileError, parse_json, regular_file

DTYPES: dict[str, Any] = {
    "F32": np.dtype(np.float32),
    "F16": np.dtype(np.float16),
    "BF16": np.dtype(ml_dtypes.bfloat16),
}


def write_tensors(path: Path, tensors: dict[str, np.ndarray], **metadata: str) -> None:
    """Write a file with default permissions; the library makes it readable by its user only.

    **Raises:** `RunError` in one line if it cannot be written, `DiskFullError` if the disk is full.
    """
    try:
        safetensors.numpy.save_file(tensors, path, metadata or None)
    except safetensors.SafetensorError as error:
        raise write_failure(error, f"{path.parent}: {path.name} cannot be written") from error
    path.chmod(0o666 & ~current_umask())


class Entry(NamedTuple):
    """The location of a tensor in a file.

    **Fields:**

    - `path`: the file.
    - `dtype`, `shape`: of the tensor.
    - `offset`: of its first byte in the file.
    """

    path: Path
    dtype: np.dtype
    shape: tuple[int, ...]
    offset: int

    def map(self) -> np.ndarray:
        """The tensor, memory-mapped: only what is accessed is read."""
        if not math.prod(self.shape):
            return np.zeros(self.shape, self.dtype)
        return np.memmap(self.path, self.dtype, "r", self.offset, self.shape)

    def read(self) -> np.ndarray:
        """The memory-mapped tensor, checked to be finite.

        **Raises:** `ModelFileError` if it holds a NaN or an infinity.
        """
        mapped = self.map()
        if not np.isfinite(mapped).all():
            raise ModelFileError(
                f"{self.path}: a tensor of shape {self.shape} has a NaN or infinity"
            )
        return mapped


def read_header(path: Path) -> dict[str, Entry]:
    """The tensors of a file, by name.

    **Raises:** `ModelFileError` in one line if the file is not safetensors, is truncated or longer
    than its header says, has a header of more than 4 MiB, or tensors that overlap, leave a gap or
    are not floats.
    """
    size = regular_file(path).stat().st_size
    with path.open("rb") as file:
        prefix = file.read(8)
        length = int.from_bytes(prefix, "little")
        if len(prefix) < 8 or length > size - 8:
            raise ModelFileError(f"{path}: not a safetensors file, or truncated in its header")
        if length > MAX_JSON_BYTES:
            raise ModelFileError(
                f"{path}: a safetensors header of {length} bytes; at most {MAX_JSON_BYTES} are read"
            )
        header = parse_json(file.read(length), f"{path}: the safetensors header")
    _check_metadata(header.pop("__metadata__", None), path)
    start = 8 + length
    ranges, entries = [], {}
    for name, values in header.items():
        where = f"{path}: tensor {name!r:.80}"
        dtype, shape = _type(values, where)
        begin, end = _byte_range(values, math.prod(shape) * dtype.itemsize, where)
        ranges.append((begin, end))
        entries[name] = Entry(path, dtype, shape, start + begin)
    _check_contiguous(sorted(ranges), size - start, path)
    return entries


def _check_metadata(metadata: Any, path: Path) -> None:
    """Refuse what the library refuses; the metadata are not used."""
    known = {} if metadata is None else metadata
    if not isinstance(known, dict) or not all(isinstance(text, str) for text in known.values()):
        raise ModelFileError(f"{path}: __metadata__ must be an object from names to texts")


def _type(values: Any, where: str) -> tuple[np.dtype, tuple[int, ...]]:
    if not isinstance(values, dict) or str(values.get("dtype")) not in DTYPES:
        raise ModelFileError(f"{where} must have a dtype of {sorted(DTYPES)}")
    shape = values.get("shape")
    if (
        not isinstance(shape, list)
        or len(shape) > 8
        or not all(type(size) is int and 0 <= size < 2**48 for size in shape)
    ):
        raise ModelFileError(f"{where} must have a shape, got {shape!r:.80}")
    return DTYPES[values["dtype"]], tuple(shape)


def _byte_range(values: dict[str, Any], num_bytes: int, where: str) -> tuple[int, int]:
    offsets = values.get("data_offsets")
    if not (
        isinstance(offsets, list)
        and len(offsets) == 2
        and all(type(offset) is int and offset >= 0 for offset in offsets)
        and offsets[1] - offsets[0] == num_bytes
    ):
        raise ModelFileError(f"{where} must span {num_bytes} bytes, got offsets {offsets!r:.80}")
    return offsets[0], offsets[1]


def _check_contiguous(ranges: list[tuple[int, int]], num_bytes: int, path: Path) -> None:
    position = 0
    for begin, end in ranges:
        if begin != position:
            raise ModelFileError(f"{path}: tensors overlap or leave a gap at byte {position}")
        position = end
    if position != num_bytes:
        problem = "truncated" if position > num_bytes else "longer than its header says"
        raise ModelFileError(f"{path}: {problem}: {num_bytes} bytes of tensors, header: {position}")


def check_tensors(
    found: dict[str, tuple[int, ...]], expected: dict[str, tuple[int, ...]], where: Path
) -> None:
    """Compare names and shapes of a checkpoint with those that a decoder needs.

    **Raises:** `ModelFileError` naming the first tensor that is missing, unknown or misshapen.
    """
    missing, unknown = sorted(expected.keys() - found), sorted(found.keys() - expected.keys())
    if missing or unknown:
        kind, names = ("missing", missing) if missing else ("unknown", unknown)
        raise ModelFileError(f"{where}: {len(names)} {kind} tensors, for example {names[0]!r:.80}")
    for name, shape in expected.items():
        if found[name] != shape:
            got = f"{list(found[name])!r:.80}"
            raise ModelFileError(f"{where}: tensor {name!r} must have shape {shape}, got {got}")
