"""Weights survive a round trip, and files that lie are refused from their header."""

import json
import tracemalloc

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import safetensors

from jaxgap.models.model_files import MAX_LAYERS, ModelFileError
from jaxgap.models.safetensors_file import read_header
from jaxgap.models.weights import load_weights, save_weights

SHAPES = {
    "a": {"kernel": jax.ShapeDtypeStruct((2, 3), jnp.float32)},
    "b": {0: jax.ShapeDtypeStruct((4,), jnp.float32)},
}


def _file(tmp_path, header, data=b"", length=None):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path = tmp_path / "weights.safetensors"
    size = len(text) if length is None else length
    path.write_bytes(size.to_bytes(8, "little") + text + data)
    return path


def _entry(shape, begin, end, dtype="F32"):
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


GOOD = {"a.kernel": _entry([2, 3], 0, 24), "b.0": _entry([4], 24, 40)}


def test_round_trip_is_exact_in_bf16(tmp_path, tiny_model, tiny_params):
    path = tmp_path / "weights.safetensors"
    save_weights(path, tiny_params)
    loaded = load_weights(path, tiny_model.shapes())
    for stored, given in zip(jax.tree.leaves(loaded), jax.tree.leaves(tiny_params), strict=True):
        assert stored.dtype == jnp.float32
        np.testing.assert_array_equal(stored, given.astype(jnp.bfloat16).astype(jnp.float32))


def test_a_good_file_is_read(tmp_path):
    numbers = np.arange(10, dtype=np.float32)
    loaded = load_weights(_file(tmp_path, GOOD, numbers.tobytes()), SHAPES)
    np.testing.assert_array_equal(loaded["a"]["kernel"], numbers[:6].reshape(2, 3))
    np.testing.assert_array_equal(loaded["b"][0], numbers[6:])


@pytest.mark.parametrize(
    ("header", "size", "message"),
    [
        (GOOD, 39, "truncated: 39 bytes"),
        (GOOD, 41, "longer than its header says"),
        ({"a.kernel": GOOD["a.kernel"]}, 24, "1 missing tensors, for example 'b.0'"),
        ({**GOOD, "evil": _entry([1], 40, 44)}, 44, "1 unknown tensors, for example 'evil'"),
        ({**GOOD, "b.0": _entry([5], 24, 44)}, 44, r"'b.0' must have shape \(4,\), got \[5\]"),
        ({**GOOD, "b.0": _entry([4], 24, 40, "I64")}, 40, "must have a dtype of"),
        ({**GOOD, "b.0": _entry([4], 24, 40, ["F32"])}, 40, "must have a dtype of"),
        ({**GOOD, "b.0": _entry([4], 24, 10**15)}, 40, "must span 16 bytes"),
        ({**GOOD, "b.0": _entry([4], -16, 0)}, 40, "must span 16 bytes"),
        ({**GOOD, "b.0": _entry([4], 8, 24)}, 40, "overlap or leave a gap at byte 24"),
        ({**GOOD, "b.0": _entry([4], 32, 48)}, 48, "overlap or leave a gap at byte 24"),
        ({**GOOD, "b.0": "text"}, 40, "must have a dtype of"),
        ([1, 2], 0, "header: must hold a JSON object"),
        (b"{not json", 0, "header: not valid JSON"),
        (b"[" * 100_000, 0, "header: not valid JSON"),
    ],
)
def test_hostile_files_are_refused_in_one_line(tmp_path, header, size, message):
    with pytest.raises(ModelFileError, match=message) as caught:
        load_weights(_file(tmp_path, header, bytes(size)), SHAPES)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "metadata",
    [None, {}, {"format": "pt"}, {"a": 1}, {"a": None}, {"a": ["b"]}, {"a": {}}, [], ["a"], "a", 3],
)
def test_metadata_is_taken_where_the_library_takes_it(tmp_path, metadata):
    path = _file(tmp_path, GOOD | {"__metadata__": metadata}, bytes(40))
    try:
        with safetensors.safe_open(path, "np"):
            pass
    except safetensors.SafetensorError:
        with pytest.raises(ModelFileError, match="__metadata__ must be an object from names to"):
            load_weights(path, SHAPES)
    else:
        np.testing.assert_array_equal(load_weights(path, SHAPES)["b"][0], 0)


NESTED = b'{"__metadata__": [' + 5_000_000 * b"[]," + b"1]}"


@pytest.mark.parametrize("header", [NESTED, GOOD | {"__metadata__": {"a": 5_000_000 * "b"}}])
def test_a_header_that_no_decoder_needs_is_not_parsed(tmp_path, header):
    """Parsed, it would take many times its own size."""
    path = _file(tmp_path, header, bytes(40))
    tracemalloc.start()
    try:
        with pytest.raises(ModelFileError, match=r"header of \d+ bytes; at most 4194304 are read"):
            load_weights(path, SHAPES)
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()


def test_the_longest_header_that_a_decoder_needs_is_read(tmp_path):
    """As many layers as are read, all projections adapted, with PEFT's names and room to spare."""
    modules = [f"self_attn.{name}_proj" for name in "qkvo"]
    modules += [f"mlp.{name}_proj" for name in ("gate", "up", "down")]
    header = {
        f"base_model.model.model.layers.{layer}.{module}.lora_{matrix}.weight": {
            "dtype": "BF16", "shape": [0, 10**6], "data_offsets": [0, 0], " " * 40: ""
        }
        for layer in range(MAX_LAYERS) for module in modules for matrix in "AB"
    }  # fmt: skip
    assert len(read_header(_file(tmp_path, header))) == 14 * MAX_LAYERS


@pytest.mark.parametrize("length", [10**18, 2**64 - 1, 500])
def test_a_header_longer_than_the_file_is_refused(tmp_path, length):
    with pytest.raises(ModelFileError, match="truncated in its header"):
        load_weights(_file(tmp_path, GOOD, length=length), SHAPES)


@pytest.mark.parametrize("content", [b"", b"abc", b"\x80\x04\x95pickle"])
def test_other_files_are_refused(tmp_path, content):
    path = tmp_path / "weights.safetensors"
    path.write_bytes(content)
    with pytest.raises(ModelFileError, match="not a safetensors file"):
        load_weights(path, SHAPES)
