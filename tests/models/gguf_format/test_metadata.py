"""The shape of a decoder from metadata alone."""

import gguf
import pytest

from jaxgap.models import LinearScaling, NoScaling
from jaxgap.models.gguf_format.header import GgufHeader, GgufTensor
from jaxgap.models.gguf_format.metadata import parse_metadata
from jaxgap.models.huggingface.config_json import config_json
from jaxgap.models.huggingface.tensor_names import naming_of
from jaxgap.models.model_files import ModelFileError

SHAPE = {
    "block_count": 2,
    "embedding_length": 32,
    "feed_forward_length": 48,
    "context_length": 64,
    "attention.head_count": 4,
    "attention.layer_norm_rms_epsilon": 1e-5,
}


@pytest.fixture
def parse(tmp_path):
    def parse(architecture, **extra):
        tensor = GgufTensor(tmp_path / "f", (60, 32), gguf.GGMLQuantizationType.F32, 0, 7680)
        metadata = {f"{architecture}.{name}": value for name, value in SHAPE.items()}
        metadata |= {"general.architecture": architecture} | extra
        return parse_metadata(GgufHeader(metadata, {"token_embd.weight": tensor}), "here")

    return parse


@pytest.mark.parametrize("architecture", ["llama", "phi3", "qwen2", "qwen3"])
def test_the_family_is_the_architecture(architecture, parse):
    assert parse(architecture).family == architecture


def test_a_phi_without_a_window_has_fused_modules(parse):
    """As Phi-4's files have it: a window of 0 is none."""
    config = parse("phi3", **{"phi3.attention.sliding_window": 0})
    assert config.sliding_window is None
    names = [name for name, _ in naming_of(config).modules]
    assert "self_attn.qkv_proj" in names
    assert "self_attn.q_proj" not in names


@pytest.mark.parametrize("num_layers", [32, 40])
def test_the_window_of_a_4k_phi3_whose_file_does_not_say(num_layers, parse):
    """As `sliding_window` in the config.json of Phi-3-mini-4k and Phi-3-medium-4k."""
    shape = {"phi3.block_count": num_layers, "phi3.context_length": 4096}
    assert parse("phi3", **shape).sliding_window == 2047
    for said, meant in ((0, None), (512, 512)):
        said = {"phi3.attention.sliding_window": said}
        assert parse("phi3", **shape | said).sliding_window == meant
    # No other shape, and no other family.
    for other in ({"phi3.block_count": 24}, {"phi3.context_length": 131072}):
        assert parse("phi3", **shape | other).sliding_window is None
    shape = {key.replace("phi3", "llama"): value for key, value in shape.items()}
    assert parse("llama", **shape).sliding_window is None


@pytest.mark.parametrize("architecture", ["llama", "qwen2", "qwen3"])
def test_heads_that_turn_in_part_are_refused_where_they_could_not_be_exported(architecture, parse):
    key = f"{architecture}.rope.dimension_count"
    assert config_json(parse(architecture, **{key: 8}))["head_dim"] == 8
    message = f"here: rope.dimension_count must be 8, all of each head, in a {architecture}, got 4"
    with pytest.raises(ModelFileError, match=message):
        parse(architecture, **{key: 4})
    partial = parse("phi3", **{"phi3.rope.dimension_count": 4})
    assert config_json(partial)["partial_rotary_factor"] == 0.5


def test_a_part_of_a_head_is_not_lost_to_rounding(parse):
    sizes = {"phi3.attention.key_length": 88, "phi3.attention.value_length": 88}
    config = parse("phi3", **sizes, **{"phi3.rope.dimension_count": 60})
    assert (config.head_dim, config.rotary_dim) == (88, 60)


@pytest.mark.parametrize("architecture", ["llama", "qwen2", "qwen3"])
@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ({"scaling.factor": 4.0}, LinearScaling(4.0)),
        ({"scale_linear": 4.0}, LinearScaling(4.0)),
        ({"scaling.factor": 2.0, "scale_linear": 4.0}, LinearScaling(2.0)),
        ({"scaling.type": "linear", "scaling.factor": 4.0}, LinearScaling(4.0)),
        ({"scaling.type": "none", "scaling.factor": 4.0}, NoScaling()),
        ({"scaling.type": "linear"}, NoScaling()),
        ({"scaling.factor": 0.0}, NoScaling()),
        ({"scaling.factor": 1.0}, NoScaling()),
    ],
)
def test_scaling_without_a_type_is_linear(architecture, parse, said, meant):
    """As in llama.cpp, which knows the factor by its older name too and takes 0 for none."""
    said = {f"{architecture}.rope.{name}": value for name, value in said.items()}
    assert parse(architecture, **said).rope_scaling == meant


def test_a_factor_beside_other_scalings_is_refused(parse):
    message = "rope.scaling.factor must be absent or 1 in a phi3 without factors, got 4.0"
    with pytest.raises(ModelFileError, match=message):
        parse("phi3", **{"phi3.rope.scaling.factor": 4.0})
    with pytest.raises(ModelFileError, match=r"rope\.scaling\.type must be none or linear"):
        parse("llama", **{"llama.rope.scaling.type": "yarn"})


@pytest.mark.parametrize(
    ("name", "usual", "other", "message"),
    [
        ("attention.scale", 0.353553, 0.5, "attention.scale must be 0.353553: nothing else"),
        ("attention.scale", 0.0, -1.0, "attention.scale must be a positive finite number"),
        ("logit_scale", 1.0, 16.0, "logit_scale must be 1: nothing else"),
        ("rope.scaling.attn_factor", 1.0, 1.2, "attn_factor must be 1 without longrope's factors"),
        ("attention.causal", True, False, "attention.causal must be true: nothing else"),
        (
            "attention.sliding_window",
            0,
            63,
            "must be absent, or at least the context length 64, in",
        ),
        ("attention.sliding_window", 64, 1, "sliding_window must be absent, .* got 1$"),
        ("attention.sliding_window", 64, "8", "sliding_window must be an integer .* got '8'$"),
    ],
)
def test_other_arithmetic_is_refused_by_name(parse, name, usual, other, message):
    assert parse("llama", **{f"llama.{name}": usual}) == parse("llama")
    with pytest.raises(ModelFileError, match=message):
        parse("llama", **{f"llama.{name}": other})


def test_what_llama_gguf_split_has_merged_is_whole(parse):
    for count in (0, 1):
        assert parse("llama", **{"split.count": count}) == parse("llama")
    with pytest.raises(ModelFileError, match="here: one of several files; merge them with llama"):
        parse("llama", **{"split.count": 2})
