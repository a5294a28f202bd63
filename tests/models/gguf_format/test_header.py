"""Metadata of a GGUF file costs memory in proportion to what models need, or is refused first."""

import struct
import tracemalloc
import warnings

import gguf
import numpy as np
import pytest

from jaxgap.models.gguf_format.header import GgufTensor, read_gguf_header
from jaxgap.models.model_files import ModelFileError

UINT8, INT32, FLOAT32, BOOL, STRING, ARRAY, FLOAT64 = 0, 5, 6, 7, 8, 9, 12


def _text(text):
    return struct.pack("<Q", len(text)) + text


def _array(key, kind, number, data):
    return _text(key) + struct.pack("<IIQ", ARRAY, kind, number) + data


@pytest.fixture
def write(tmp_path):
    def write(*entries, num_keys=None, num_tensors=0):
        path = tmp_path / "model.gguf"
        num_keys = len(entries) if num_keys is None else num_keys
        path.write_bytes(
            b"GGUF" + struct.pack("<IQQ", 3, num_tensors, num_keys) + b"".join(entries)
        )
        return path

    return write


def test_arrays_of_numbers_are_lists_of_pythons_own(write):
    numbers = np.array([1.5, -2.25, 3.0])
    header = read_gguf_header(
        write(
            _array(b"f", FLOAT32, 3, numbers.astype("<f4").tobytes()),
            _array(b"d", FLOAT64, 3, numbers.astype("<f8").tobytes()),
            _array(b"i", INT32, 2, struct.pack("<ii", -7, 2**31 - 1)),
            _array(b"b", BOOL, 2, b"\0\1"),
            _array(b"none", INT32, 0, b""),
        )
    )
    expected = {"f": [1.5, -2.25, 3.0], "d": [1.5, -2.25, 3.0], "i": [-7, 2**31 - 1]}
    assert header.metadata == expected | {"b": [False, True], "none": []}
    assert type(header.metadata["b"][0]) is bool
    assert {type(number) for name in "fd" for number in header.metadata[name]} == {float}


def test_the_largest_vocabularies_pass(write):
    """262,144 tokens with scores and types, and half a million merges."""
    num_tokens, num_merges = 262_144, 500_000
    words = [f"{index:06}" for index in range(num_merges)]
    strings = b"".join(_text(word.encode()) for word in words)
    size = len(strings) // num_merges * num_tokens
    metadata = read_gguf_header(
        write(
            _array(b"tokens", STRING, num_tokens, strings[:size]),
            _array(b"scores", FLOAT32, num_tokens, bytes(4 * num_tokens)),
            _array(b"types", INT32, num_tokens, bytes(4 * num_tokens)),
            _array(b"merges", STRING, num_merges, strings),
        )
    ).metadata
    assert metadata["tokens"] == words[:num_tokens]
    assert metadata["merges"] == words
    assert metadata["scores"] == metadata["types"] == [0] * num_tokens


def _refused(path, message):
    """The most memory taken until the file was refused in one line."""
    tracemalloc.start()
    try:
        with pytest.raises(ModelFileError, match=message) as caught:
            read_gguf_header(path)
        assert "\n" not in str(caught.value)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_arrays_longer_than_any_model_needs_are_refused_before_they_are_read(write):
    path = write(_array(b"k", UINT8, 20_000_000, bytes(20_000_000)))
    message = "a count of 20000000 at byte 49, but at most 4194304 are read"
    assert _refused(path, message) < 100_000
    texts = write(_array(b"k", STRING, 4_200_000, bytes(8 * 4_200_000)))
    assert _refused(texts, "a count of 4200000 at byte 49") < 100_000


def test_arrays_count_together(write):
    million = [
        _array(str(index).encode(), UINT8, 1_000_000, bytes(1_000_000)) for index in range(5)
    ]
    most = _refused(write(*million), "a count of 1000000 at byte .*, but at most 194304 are read")
    # A list takes 8 bytes an entry, and numbers that small nothing.
    assert most < 40_000_000


def test_more_keys_or_tensors_than_any_model_has_are_refused(write):
    _refused(write(bytes(1_000_000), num_keys=70_000), "a count of 70000 at byte 24")
    path = write(bytes(3_000_000), num_keys=0, num_tensors=70_000)
    _refused(path, "a count of 70000 at byte 24, but at most 65536 are read")


def test_a_header_larger_than_any_is_refused(write, monkeypatch):
    monkeypatch.setattr("jaxgap.models.gguf_format.header._MAX_HEADER_BYTES", 1000)
    path = write(_text(b"k") + struct.pack("<I", STRING) + _text(bytes(1000)))
    _refused(path, "a header of more than 1000 bytes")


def test_a_scale_that_is_no_number_is_refused_without_a_warning(tmp_path):
    path = tmp_path / "blocks"
    path.write_bytes(struct.pack("<e", np.inf) + bytes(32))  # infinity times zeros
    tensor = GgufTensor(path, (1, 32), gguf.GGMLQuantizationType.Q8_0, 0, 34)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ModelFileError, match="has a NaN or infinity"):
            tensor.read()
