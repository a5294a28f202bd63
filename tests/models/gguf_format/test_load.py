"""GGUF files give the model that was written into them; those that lie are refused."""

import struct

import gguf
import jax
import numpy as np
import pytest

from jaxgap.errors import InputError
from jaxgap.models import Llama3Scaling
from jaxgap.models.gguf_format.header import GgufHeader, GgufTensor, read_gguf_header
from jaxgap.models.gguf_format.load import load_gguf
from jaxgap.models.gguf_format.metadata import parse_metadata
from jaxgap.models.model_files import ModelFileError

KINDS = [
    gguf.GGMLQuantizationType[name]
    for name in ("F16", "BF16", "Q8_0", "Q5_1", "Q5_0", "Q4_1", "Q4_0")
]


@pytest.mark.parametrize(
    "family", ["llama2", "llama_linear", "phi3_mini", "phi35_mini", "phi4_mini", "qwen25", "qwen3"]
)
def test_every_family_is_what_was_written(family, write_gguf, load_tiny):
    model, params = load_gguf(write_gguf(family))
    expected, weights = load_tiny(family)
    assert model.config == expected.config
    jax.tree.map(np.testing.assert_array_equal, params, weights)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_quantised_weights_are_what_the_gguf_package_makes_of_them(kind, write_gguf, load_tiny):
    _, params = load_gguf(write_gguf("smollm2", kind))
    _, weights = load_tiny("smollm2")
    gate = ("blocks", 1, "feed_forward", "gate", "kernel")
    for path, transposed in ((("embedding", "embedding"), False), (gate, True)):
        read, exact = params, weights
        for key in path:
            read, exact = read[key], exact[key]
        rows = np.ascontiguousarray(exact.T if transposed else exact)
        expected = gguf.quants.dequantize(gguf.quants.quantize(rows, kind), kind)
        np.testing.assert_array_equal(read.T if transposed else read, expected)
        assert 0 < np.abs(expected - rows).max() < 0.3


def test_a_large_tensor_is_dequantised_in_pieces(write_gguf, monkeypatch):
    whole = load_gguf(write_gguf("smollm2", KINDS[2]))[1]
    monkeypatch.setattr("jaxgap.models.gguf_format.header._CHUNK", 100)
    jax.tree.map(
        np.testing.assert_array_equal, load_gguf(write_gguf("smollm2", KINDS[2]))[1], whole
    )


def test_the_divisors_of_llama3_are_recognised(tmp_path):
    """The factors that llama.cpp's converter writes for Llama 3.2, from its own formula."""
    frequencies = 500_000.0 ** (-np.arange(64) / 64)
    divisors = []
    for wavelength in 2 * np.pi / frequencies:
        smooth = (8192 / wavelength - 1) / 3
        divisors.append(1 / np.clip((1 - smooth) / 32 + smooth, 1 / 32, 1))
    path = tmp_path / "f.gguf"
    np.array(divisors, np.float32).tofile(path)
    tensors = {
        "rope_freqs.weight": GgufTensor(path, (64,), gguf.GGMLQuantizationType.F32, 0, 256),
        "token_embd.weight": GgufTensor(path, (100, 3072), gguf.GGMLQuantizationType.F32, 0, 1),
    }
    shape = {
        "block_count": 28,
        "embedding_length": 3072,
        "feed_forward_length": 8192,
        "context_length": 131072,
        "attention.head_count": 24,
        "attention.head_count_kv": 8,
        "attention.layer_norm_rms_epsilon": 1e-5,
        "rope.freq_base": 500000.0,
    }
    metadata = {"general.architecture": "llama"} | {f"llama.{k}": v for k, v in shape.items()}
    config = parse_metadata(GgufHeader(metadata, tensors), "here")
    assert config.rope_scaling == Llama3Scaling(32.0, 1.0, 4.0, 8192)
    twice = metadata | {"llama.rope.scaling.factor": 4.0}
    with pytest.raises(ModelFileError, match="factor must be absent or 1 beside rope_freqs"):
        parse_metadata(GgufHeader(twice, tensors), "here")
    np.array(divisors[::-1], np.float32).tofile(path)
    with pytest.raises(
        ModelFileError, match=r"here: rope_freqs\.weight is not the scaling of Llama 3"
    ):
        parse_metadata(GgufHeader(metadata, tensors), "here")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"general.architecture": "bert"}, "general.architecture must be one of llama"),
        ({"split.count": 3}, "merge them with llama-gguf-split"),
        ({"qwen3.block_count": 10**9}, "block_count must be an integer from 1 to 1000"),
        ({"qwen3.block_count": 900}, "its metadata says 900 layers, it has"),
        ({"qwen3.block_count": 3}, "11 missing tensors, for example 'blk.2"),
        ({"qwen3.attention.head_count_kv": [2, 2]}, "head_count_kv must be an integer"),
        ({"qwen3.attention.layer_norm_rms_epsilon": float("nan")}, "must be a positive finite"),
        ({"qwen3.rope.scaling.type": "yarn"}, "rope.scaling.type must be none or linear"),
        ({"tokenizer.ggml.model": "bert"}, "tokenizer.ggml.model must be gpt2 or llama"),
        ({"tokenizer.ggml.pre": "default"}, "tokenizer.ggml.pre must be one of gpt-2, smollm"),
        ({"tokenizer.ggml.eos_token_id": 10**6}, "eos_token_id must be the id of a token"),
        ({"tokenizer.ggml.merges": ["a zz"]}, "its tokenizer cannot be built"),
        ({"tokenizer.ggml.tokens": ["a"] * 64}, "a token is given twice"),
        ({"tokenizer.ggml.tokens": [1]}, "tokens must be a list of strings"),
        (
            {
                "tokenizer.ggml.model": "llama",
                "tokenizer.ggml.tokens": ["a" * 10**6],
                "tokenizer.ggml.token_type": [1],
                "tokenizer.ggml.scores": [0.0],
            },
            "token 0 has 1000000 characters",
        ),
        ({"tokenizer.chat_template": "{% for %}"}, "the chat template cannot be compiled"),
    ],
)
def test_metadata_that_lies_is_refused_in_one_line(write_gguf, monkeypatch, change, message):
    path = write_gguf("qwen3")
    header = read_gguf_header(path)
    changed = header._replace(metadata=header.metadata | change)
    monkeypatch.setattr("jaxgap.models.gguf_format.load.read_gguf_header", lambda path: changed)
    with pytest.raises(ModelFileError, match=message) as caught:
        load_gguf(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["rope_freqs.weight", "rope_factors_short.weight"])
def test_a_part_of_a_scaling_that_the_model_does_not_have_is_refused(write_gguf, monkeypatch, name):
    path = write_gguf("qwen3")
    header = read_gguf_header(path)
    more = header.tensors | {name: header.tensors["output_norm.weight"]}
    monkeypatch.setattr(
        "jaxgap.models.gguf_format.load.read_gguf_header",
        lambda path: header._replace(tensors=more),
    )
    with pytest.raises(ModelFileError, match=name):
        load_gguf(path)


def _header(num_tensors=0, num_keys=0, version=3, rest=b""):
    return b"GGUF" + struct.pack("<IQQ", version, num_tensors, num_keys) + rest


def _text(text):
    return struct.pack("<Q", len(text)) + text


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "not a GGUF file"),
        (b"PK\3\4" + bytes(100), "not a GGUF file"),
        (_header(version=1), "GGUF version 1"),
        (_header(version=3 << 24), "or big-endian"),
        (_header(num_keys=2**60), "truncated: a count of 1152921504606846976"),
        (_header(num_tensors=2**63), "truncated: a count of"),
        (
            _header(num_keys=1, rest=struct.pack("<Q", 2**62) + bytes(50)),
            "a name of 4611686018427387904",
        ),
        (_header(num_keys=1, rest=_text(b"\xff\xfe") + bytes(50)), "text that is not UTF-8"),
        (_header(num_keys=1, rest=_text(b"k") + struct.pack("<I", 99)), "unknown value type 99"),
        (_header(num_keys=1, rest=_text(b"k") + struct.pack("<IIQ", 9, 5, 2**61)), "a count of"),
        (_header(num_keys=1, rest=_text(b"k") + struct.pack("<IIQ", 9, 8, 2**61)), "a count of"),
        (
            _header(num_keys=1, rest=_text(b"k") + struct.pack("<IIQ", 9, 9, 1)),
            "arrays of value type 9",
        ),
        (
            _header(num_keys=1, rest=_text(b"k") + struct.pack("<IQ", 8, 2**62)),
            "truncated in its head",
        ),
        (_header(num_keys=2, rest=(_text(b"k") + struct.pack("<IB", 0, 1)) * 2), "is given twice"),
        (_header(1, rest=_text(b"t") + struct.pack("<I", 9) + bytes(64)), "has 9 dimensions"),
        (
            _header(1, rest=_text(b"t") + struct.pack("<IQIQ", 1, 2**50, 0, 0)),
            "cannot have the shape",
        ),
        (_header(1, rest=_text(b"t") + struct.pack("<IQIQ", 1, 33, 2, 0)), "cannot have the shape"),
        (
            _header(1, rest=_text(b"t") + struct.pack("<IQIQ", 1, 8, 77, 0)),
            "quantised in an unknown way",
        ),
        (
            _header(1, rest=_text(b"t") + struct.pack("<IQIQ", 1, 8, 24, 0)),
            "quantised in an unknown way",
        ),
        (_header(1, rest=_text(b"t") + struct.pack("<IQIQ", 1, 8, 0, 64)), "leaves a gap"),
        (_header(1, rest=_text(b"t") + struct.pack("<IQIQ", 1, 8, 0, 0)), "truncated: 57 bytes"),
        (
            _header(2, rest=(_text(b"t") + struct.pack("<IQIQ", 1, 8, 0, 0)) * 2 + bytes(99)),
            "is given twice",
        ),
        (_header(0, rest=bytes(100)), "longer than its header says"),
    ],
)
def test_hostile_headers_are_refused_in_one_line(tmp_path, data, message):
    path = tmp_path / "model.gguf"
    path.write_bytes(data)
    with pytest.raises(ModelFileError, match=message) as caught:
        read_gguf_header(path)
    assert "\n" not in str(caught.value)


def test_a_file_cut_anywhere_is_refused(write_gguf, tmp_path):
    data = write_gguf("qwen25").read_bytes()
    path = tmp_path / "cut.gguf"
    for size in [*range(0, 4000, 97), len(data) // 2, len(data) - 33]:
        path.write_bytes(data[:size])
        with pytest.raises(ModelFileError, match=r"cut\.gguf") as caught:
            read_gguf_header(path)
        assert "\n" not in str(caught.value)


def test_flipped_bytes_are_an_error_in_one_line_or_another_model(write_gguf, tmp_path):
    data = write_gguf("qwen25").read_bytes()
    path = tmp_path / "flipped.gguf"
    draws = np.random.Generator(np.random.PCG64(0))
    messages = []
    for place in draws.integers(0, 5000, 150):
        damaged = bytearray(data)
        damaged[place] ^= 1 << draws.integers(8)
        path.write_bytes(damaged)
        try:
            parse_metadata(read_gguf_header(path), "flipped")
        except InputError as error:
            messages.append(str(error))
    assert len(messages) > 20
    assert not any("\n" in message for message in messages)
