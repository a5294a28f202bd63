"""The header of a GGUF file: metadata and the locations of tensors, with every count validated.

A file is `GGUF`, a version, two counts, that many keys with values, that many tensor descriptions,
and aligned bytes. It is parsed here rather than by the `gguf` package, which trusts counts and
lengths; nothing is allocated that exceeds the file, or the needs of any model.
"""

from __future__ import annotations

import math
import mmap
import struct
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jaxgap.models.extra import import_extra
from jaxgap.models.model_files import ModelFileError, regular_file

_SCALARS: dict[int, str] = {
    0: "B",
    1: "b",
    2: "H",
    3: "h",
    4: "I",
    5: "i",
    6: "f",
    7: "?",
    10: "Q",
    11: "q",
    12: "d",
}
_FLOAT32, _STRING, _ARRAY = 6, 8, 9
# As Python objects a header takes several times its size. The largest vocabularies in use have
# 262,144 tokens with a score and a type each and some 500,000 merges, in tens of megabytes.
_MAX_HEADER_BYTES = 1 << 28
_MAX_ENTRIES = 1 << 22
_MAX_KEYS = 1 << 16
_MAX_TENSORS = 1 << 16
_MAX_DIMENSIONS = 4
_MAX_NAME_BYTES = 256
_MAX_ALIGNMENT = 1 << 20
_CHUNK = 1 << 22


class GgufTensor(NamedTuple):
    """The location of a tensor.

    **Fields:**

    - `path`: the file.
    - `shape`: rows first, as in NumPy.
    - `kind`: the `gguf.GGMLQuantizationType`.
    - `offset`, `num_bytes`: in the file.
    """

    path: Path
    shape: tuple[int, ...]
    kind: Any
    offset: int
    num_bytes: int

    def read(self) -> np.ndarray:
        """The tensor in float32, dequantised a few rows at a time.

        **Raises:** `ModelFileError` if it holds a NaN or an infinity.
        """
        gguf = import_extra("gguf")
        size = self.shape[-1]
        rows = math.prod(self.shape[:-1])
        stored = np.memmap(self.path, np.uint8, "r", self.offset, (self.num_bytes,))
        stored = stored.reshape(rows, self.num_bytes // rows)
        values = np.empty((rows, size), np.float32)
        step = max(1, _CHUNK // size)
        with np.errstate(all="ignore"):  # scales that are no numbers are found in the values
            for start in range(0, rows, step):
                piece = np.ascontiguousarray(stored[start : start + step])
                values[start : start + step] = gguf.quants.dequantize(piece, self.kind)
        if not np.isfinite(values).all():
            raise ModelFileError(
                f"{self.path}: a tensor of shape {self.shape} has a NaN or infinity"
            )
        return values.reshape(self.shape)


class GgufHeader(NamedTuple):
    """The content of a header.

    **Fields:**

    - `metadata`: key to value; arrays are lists.
    - `tensors`: name to location.
    """

    metadata: dict[str, Any]
    tensors: dict[str, GgufTensor]


def read_gguf_header(path: Path) -> GgufHeader:
    """The metadata and tensor locations of a file.

    **Raises:** `ModelFileError` in one line if the file is not GGUF of version 2 or 3, is truncated
    or longer than its header says, has more metadata than any model, or has tensors that overlap or
    whose type the `gguf` package cannot dequantise.
    """
    if regular_file(path).stat().st_size < 24:
        raise ModelFileError(f"{path}: not a GGUF file")
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        reader = _Reader(data, path)
        if data[:4] != b"GGUF":
            raise ModelFileError(f"{path}: not a GGUF file")
        reader.position = 4
        version = reader.scalar("I")
        if version not in (2, 3):
            raise ModelFileError(f"{path}: GGUF version {version}, or big-endian; 2 and 3 are read")
        num_tensors, num_keys = reader.scalar("Q"), reader.scalar("Q")
        metadata = _read_metadata(reader, num_keys)
        num_tensors = reader.count(num_tensors, 32, _MAX_TENSORS)
        descriptions = [_read_description(reader) for _ in range(num_tensors)]
        alignment = metadata.get("general.alignment", 32)
        if type(alignment) is not int or not 0 < alignment <= _MAX_ALIGNMENT:
            raise reader.error(f"general.alignment must be 1 to {_MAX_ALIGNMENT}")
        start = -(-reader.position // alignment) * alignment
        return GgufHeader(metadata, _place(descriptions, start, alignment, len(data), path))


class _Reader:
    """A position in the file, and reads that never run past its end."""

    def __init__(self, data: mmap.mmap, path: Path):
        self.data = data
        self.path = path
        self.position = 0
        self.entries_left = _MAX_ENTRIES

    def error(self, problem: str) -> ModelFileError:
        return ModelFileError(f"{self.path}: {problem}")

    def take(self, num_bytes: int) -> bytes:
        if num_bytes > len(self.data) - self.position:
            raise self.error(f"truncated in its header at byte {self.position}")
        if num_bytes > _MAX_HEADER_BYTES - self.position:
            raise self.error(f"a header of more than {_MAX_HEADER_BYTES} bytes")
        self.position += num_bytes
        return self.data[self.position - num_bytes : self.position]

    def scalar(self, code: str) -> Any:
        return struct.unpack("<" + code, self.take(struct.calcsize("<" + code)))[0]

    def count(self, number: int, num_bytes_each: int, maximum: int) -> int:
        """A validated count of items that take at least `num_bytes_each` bytes each."""
        if number * num_bytes_each > len(self.data) - self.position:
            raise self.error(f"truncated: a count of {number} at byte {self.position}")
        if number > maximum:
            raise self.error(
                f"a count of {number} at byte {self.position}, but at most {maximum} are read"
            )
        return number

    def string(self, max_bytes: int | None = None) -> str:
        length = self.scalar("Q")
        if max_bytes is not None and length > max_bytes:
            raise self.error(f"a name of {length} bytes at byte {self.position}")
        try:
            return self.take(length).decode("utf-8")
        except UnicodeDecodeError:
            raise self.error(f"text that is not UTF-8 before byte {self.position}") from None

    def value(self, kind: int) -> Any:
        if kind == _STRING:
            return self.string()
        if kind == _ARRAY:
            return self._array()
        if kind not in _SCALARS:
            raise self.error(f"unknown value type {kind} at byte {self.position}")
        value = self.scalar(_SCALARS[kind])
        # The shortest decimal that rounds to this float32: 1e-5, not 9.999999747378752e-06.
        return float(str(np.float32(value))) if kind == _FLOAT32 else value

    def _array(self) -> list[Any]:
        kind, number = self.scalar("I"), self.scalar("Q")
        if kind != _STRING and kind not in _SCALARS:
            raise self.error(f"arrays of value type {kind} are not supported")
        size = 8 if kind == _STRING else struct.calcsize("<" + _SCALARS[kind])
        self.entries_left -= self.count(number, size, self.entries_left)
        if kind == _STRING:
            return [self.string() for _ in range(number)]
        dtype = np.dtype(_SCALARS[kind]).newbyteorder("<")
        return np.frombuffer(self.take(number * size), dtype).tolist()


def _read_metadata(reader: _Reader, num_keys: int) -> dict[str, Any]:
    metadata: dict[str, Any] = {}
    for _ in range(reader.count(num_keys, 13, _MAX_KEYS)):
        key = reader.string(1 << 16)
        if key in metadata:
            raise reader.error(f"the key {key!r:.80} is given twice")
        metadata[key] = reader.value(reader.scalar("I"))
    return metadata


def _read_description(reader: _Reader) -> tuple[str, tuple[int, ...], int, int]:
    """Name, shape with rows first, kind and offset."""
    name = reader.string(_MAX_NAME_BYTES)
    num_dimensions = reader.scalar("I")
    if not 1 <= num_dimensions <= _MAX_DIMENSIONS:
        raise reader.error(f"tensor {name!r:.80} has {num_dimensions} dimensions")
    shape = tuple(reader.scalar("Q") for _ in range(num_dimensions))[::-1]
    return name, shape, reader.scalar("I"), reader.scalar("Q")


def _place(
    descriptions: list[tuple[str, tuple[int, ...], int, int]],
    start: int,
    alignment: int,
    file_size: int,
    path: Path,
) -> dict[str, GgufTensor]:
    tensors, kinds, position = {}, {}, start
    for name, shape, number, offset in sorted(descriptions, key=lambda entry: entry[3]):
        where = f"{path}: tensor {name!r:.80}"
        if name in tensors:
            raise ModelFileError(f"{where} is given twice")
        if number not in kinds:
            kinds[number] = _kind(number, where)
        kind, block, block_bytes = kinds[number]
        elements = math.prod(shape)
        if not 0 < elements < 2**48 or shape[-1] % block:
            raise ModelFileError(f"{where} cannot have the shape {list(shape)} in {kind.name}")
        num_bytes = elements // block * block_bytes
        begin = start + offset
        if offset % alignment or not 0 <= begin - position < alignment:
            raise ModelFileError(f"{where} overlaps another or leaves a gap at byte {begin}")
        position = begin + num_bytes
        if position > file_size:
            raise ModelFileError(
                f"{path}: truncated: {file_size} bytes, its header says {position}"
            )
        tensors[name] = GgufTensor(path, shape, kind, begin, num_bytes)
    if file_size - position >= alignment:
        raise ModelFileError(
            f"{path}: longer than its header says: {file_size} bytes, header: {position}"
        )
    return tensors


def _kind(number: int, where: str) -> tuple[Any, int, int]:
    """A quantisation type with its block size in values and bytes, if `gguf` dequantises it."""
    gguf = import_extra("gguf")
    try:
        kind = gguf.GGMLQuantizationType(number)
        block, block_bytes = gguf.GGML_QUANT_SIZES[kind]
        gguf.quants.dequantize(np.zeros((1, block_bytes), np.uint8), kind)
    except (ValueError, KeyError, NotImplementedError):
        raise ModelFileError(f"{where} is quantised in an unknown way ({number})") from None
    return kind, block, block_bytes
