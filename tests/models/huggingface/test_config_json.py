"""`config.json` is read as transformers reads it, and what is hostile or unknown is refused."""

import dataclasses
import json
import shutil

import pytest

from jaxgap.models import DecoderConfig, LinearScaling, Llama3Scaling, LongRope, NoScaling
from jaxgap.models.huggingface.config_json import config_json, family_of, parse_config
from jaxgap.models.model_files import ModelFileError

LLAMA = {
    "model_type": "llama",
    "vocab_size": 64,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
}
LLAMA3 = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0}
LONGROPE = {"type": "su", "short_factor": [1.0] * 4, "long_factor": [2.0] * 4}


def _parse(tmp_path, values):
    path = tmp_path / "config.json"
    path.write_text(values if isinstance(values, str) else json.dumps(values))
    return parse_config(path)


def test_what_is_absent_has_the_defaults_of_transformers(tmp_path):
    config = _parse(tmp_path, LLAMA)
    expected = {"norm_eps": 1e-6, "tie_embeddings": False, "context_length": 2048}
    assert config == DecoderConfig(64, 32, 48, 2, 4, 4, 8, **expected, family="llama")
    assert (
        _parse(tmp_path, LLAMA | {"model_type": "qwen3", "num_key_value_heads": 2}).head_dim == 128
    )
    assert _parse(tmp_path, LLAMA | {"model_type": "phi3"}).norm_eps == 1e-5


def test_both_forms_of_rope_are_the_same(tmp_path):
    scaling = {
        "rope_type": "llama3",
        "factor": 32.0,
        "low_freq_factor": 1.0,
        "high_freq_factor": 4.0,
        "original_max_position_embeddings": 8192,
    }
    older = _parse(tmp_path, LLAMA | {"rope_theta": 500000.0, "rope_scaling": scaling})
    newer = _parse(tmp_path, LLAMA | {"rope_parameters": scaling | {"rope_theta": 500000.0}})
    assert older == newer
    assert older.rope_scaling == Llama3Scaling(32.0, 1.0, 4.0, 8192)


def test_a_scaling_added_beside_the_newer_form_takes_its_place(tmp_path):
    newer = {"rope_parameters": {"rope_type": "default", "rope_theta": 1e6}}
    added = {"rope_type": "linear", "factor": 4.0}
    config = _parse(tmp_path, LLAMA | newer | {"rope_scaling": added | {"rope_theta": 1e6}})
    assert (config.rope_theta, config.rope_scaling) == (1e6, LinearScaling(4.0))
    config = _parse(tmp_path, LLAMA | newer | {"rope_scaling": added, "rope_theta": 1000000})
    assert (config.rope_theta, config.rope_scaling) == (1e6, LinearScaling(4.0))
    # An empty one is none.
    assert _parse(tmp_path, LLAMA | newer | {"rope_scaling": {}}).rope_theta == 1e6


def test_of_a_phi_only_the_length_before_stretching_counts_outside(tmp_path):
    """As in transformers 5.24, whose logits tell (by 6) which of two different numbers it takes."""
    outside = {"rope_theta": 1e4, "partial_rotary_factor": 1.0}
    inside = {"rope_type": "default", "rope_theta": 50.0, "partial_rotary_factor": 0.75}
    longrope = LONGROPE | {"short_factor": [1.0] * 3, "long_factor": [2.0] * 3}
    for newer in (inside, inside | longrope | {"rope_type": "longrope"}):
        values = {"original_max_position_embeddings": 16, "rope_parameters": newer}
        config = _parse(tmp_path, LLAMA | outside | values | {"model_type": "phi3"})
        assert (config.rope_theta, config.partial_rotary_factor) == (50.0, 0.75)
    assert config.rope_scaling.original_length == 16


def test_longrope_has_the_attention_factor_of_its_stretch(tmp_path):
    values = LLAMA | {
        "model_type": "phi3",
        "rope_scaling": LONGROPE,
        "max_position_embeddings": 131072,
        "original_max_position_embeddings": 4096,
    }
    scaling = _parse(tmp_path, values).rope_scaling
    assert isinstance(scaling, LongRope)
    assert scaling.attention_factor == pytest.approx(1.1902380714)
    stated = _parse(tmp_path, values | {"rope_scaling": LONGROPE | {"attention_factor": 1.5}})
    assert stated.rope_scaling.attention_factor == 1.5


SHAPE = DecoderConfig(64, 32, 48, 2, 4, 2, 8)


@pytest.mark.parametrize(
    ("changes", "family"),
    [
        ({}, "llama"),
        ({"rope_scaling": LinearScaling(2.0), "tie_embeddings": False}, "llama"),
        ({"rope_scaling": Llama3Scaling(8.0, 1.0, 4.0, 16)}, "llama"),
        ({"qkv_bias": True, "rope_theta": 1e6}, "qwen2"),
        ({"qk_norm": True, "head_dim": 16}, "qwen3"),
        ({"sliding_window": 9, "norm_eps": 1e-5}, "phi3"),
        (
            {
                "partial_rotary_factor": 0.75,
                "rope_scaling": LongRope((1.0,) * 3, (2.0,) * 3, 16, 1.25),
                "context_length": 64,
            },
            "phi3",
        ),
    ],
)
def test_a_written_config_is_read_back(tmp_path, changes, family):
    config = dataclasses.replace(SHAPE, **changes)
    assert family_of(config) == family
    stated = dataclasses.replace(config, family=family)
    assert config_json(stated) == config_json(config)
    assert _parse(tmp_path, config_json(config)) == stated


def test_the_family_stated_comes_before_what_the_shape_implies(tmp_path):
    config = dataclasses.replace(SHAPE, family="phi3")
    assert family_of(config) == "phi3"
    assert _parse(tmp_path, config_json(config)) == config


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"qkv_bias": True, "qk_norm": True}, "no family has all"),
        ({"rope_scaling": Llama3Scaling(8.0, 1.0, 4.0, 16), "qk_norm": True}, "no family has all"),
        ({"family": "llama", "sliding_window": 9}, "the family llama has not all"),
        ({"family": "qwen2"}, "the family qwen2 has not all"),
        ({"family": "phi3", "rope_scaling": LinearScaling(2.0)}, "the family phi3 has not all"),
    ],
)
def test_what_no_family_computes_cannot_be_written(changes, message):
    with pytest.raises(ValueError, match=message):
        config_json(dataclasses.replace(SHAPE, **changes))


def test_a_family_that_is_none_is_refused():
    with pytest.raises(ValueError, match="family must be one of llama, phi3, qwen2, qwen3, got"):
        dataclasses.replace(SHAPE, family="gemma")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"model_type": "mamba"},
            "model_type must be one of llama, phi3, qwen2, qwen3, got 'mamba'",
        ),
        ({"model_type": ["llama"]}, "model_type must be one of"),
        (
            {"num_hidden_layers": 10**9},
            "num_hidden_layers must be an integer from 1 to 1000, got 1",
        ),
        ({"num_hidden_layers": 2.0}, "num_hidden_layers must be an integer"),
        ({"num_hidden_layers": True}, "num_hidden_layers must be an integer"),
        ({"hidden_size": None}, "hidden_size must be an integer from 1"),
        ({"vocab_size": 10**18}, "vocab_size must be an integer from 1"),
        ({"vocab_size": "9" * 5000}, "vocab_size must be an integer from 1"),
        ({"intermediate_size": -1}, "intermediate_size must be an integer from 1"),
        ({"num_key_value_heads": 3}, "num_kv_heads must divide num_heads=4, got 3"),
        ({"head_dim": 7}, "head_dim must be even, got 7"),
        ({"rms_norm_eps": 0}, "rms_norm_eps must be a positive finite number, got 0"),
        ({"rms_norm_eps": "1e-5"}, "rms_norm_eps must be a positive finite number"),
        ({"rope_theta": 1e300}, "rope_theta must be a positive finite number"),
        ({"tie_word_embeddings": 1}, "tie_word_embeddings must be true or false"),
        (
            {"hidden_act": "gelu"},
            "hidden_act must be 'silu': nothing else is supported, got 'gelu'",
        ),
        ({"attention_bias": True}, "attention_bias must be False: nothing else"),
        ({"sliding_window": 4096}, "sliding_window must be absent"),
        ({"quantization_config": {"bits": 4}}, "quantization_config must be absent or empty: no"),
        ({"is_causal": False}, "is_causal must be true: nothing else is supported, got False"),
        ({"is_causal": None}, "is_causal must be true: nothing else is supported, got None"),
        (
            {"rope_scaling": {"rope_type": "yarn"}},
            "rope_type must be one of default, linear, llama3",
        ),
        ({"rope_scaling": {"rope_type": {}}}, "rope_type must be one of"),
        ({"rope_scaling": [1]}, "rope_scaling must be an object"),
        ({"rope_parameters": "no"}, "rope_parameters must be an object"),
        (
            {"rope_parameters": {"rope_type": "default"}, "rope_scaling": {"rope_type": "yarn"}},
            "rope_scaling: rope_type must be one of default, linear, llama3 .*, got 'yarn'",
        ),
        (
            {
                "rope_parameters": {"rope_theta": 1e6},
                "rope_scaling": {"rope_type": "linear", "factor": 4.0},
            },
            r"rope_parameters, whose rope_theta 1000000\.0 would be lost; add it to rope_scaling",
        ),
        (
            {"rope_scaling": {"rope_type": "linear"}},
            "factor must be a positive finite number, got noth",
        ),
        (
            {"model_type": "phi3", "rope_scaling": LONGROPE | {"short_factor": [1.0] * 3}},
            "long_factor must be 3 numbers",
        ),
        (
            {"model_type": "phi3", "rope_scaling": LONGROPE | {"long_factor": [1.0, -2, 1, 1]}},
            "long_factor must be a list of positive finite numbers",
        ),
        (
            {"model_type": "phi3", "partial_rotary_factor": 1.5},
            "partial_rotary_factor must turn an even part",
        ),
        (
            {"partial_rotary_factor": 0.5},
            "partial_rotary_factor must be 1 in the family llama, got 0.5",
        ),
        (
            {
                "model_type": "qwen3",
                "num_key_value_heads": 4,
                "rope_scaling": {"partial_rotary_factor": 0.5},
            },
            "partial_rotary_factor must be 1 in the family qwen3, got 0.5",
        ),
        (
            {"rope_parameters": {"full_attention": {"rope_type": "default", "rope_theta": 50.0}}},
            "full_attention must be left out: every layer has the same rotary embedding",
        ),
        (
            {"rope_scaling": LLAMA3 | {"original_max_position_embeddings": 32}}
            | {"original_max_position_embeddings": 8},
            "original_max_position_embeddings must be 8, as at the top level .*, got 32",
        ),
        (
            {
                "model_type": "phi3",
                "rope_scaling": LONGROPE | {"original_max_position_embeddings": 16},
            },
            "from the top level of config.json, or 4096; put 16 there too",
        ),
        (
            {"per_layer_config": {"1": {"sliding_window": 4}}},
            "per_layer_config must be absent or empty: all layers are alike, got {'1'",
        ),
        ({"model_type": "qwen2", "use_sliding_window": True}, "use_sliding_window must be False"),
        ({"model_type": "qwen3", "layer_types": ["sliding_attention"]}, "layer_types must be full"),
    ],
)
def test_hostile_and_unknown_configs_are_refused_in_one_line(tmp_path, change, message):
    with pytest.raises(ModelFileError, match=message) as caught:
        _parse(tmp_path, LLAMA | change)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    "change",
    [
        {"pretraining_tp": 2},
        {"quantization_config": {}},
        {"quantization_config": None},
        {"is_causal": True},
        {"per_layer_config": {}},
        {"attention_bias": None},
    ],
)
def test_what_changes_no_arithmetic_is_taken(tmp_path, change):
    assert _parse(tmp_path, LLAMA | change) == _parse(tmp_path, LLAMA)


def test_a_qwen2_has_its_biases_whatever_is_said(tmp_path):
    """As in transformers."""
    qwen2 = LLAMA | {"model_type": "qwen2", "num_key_value_heads": 2}
    for said in (True, False):
        assert _parse(tmp_path, qwen2 | {"attention_bias": said}) == _parse(tmp_path, qwen2)


KV_HEADS = [("llama", {}), ("qwen2", {})] + [
    (family, {"num_key_value_heads": number})
    for family in ("llama", "phi3", "qwen2", "qwen3")
    for number in (None, 2)
]


@pytest.mark.parametrize(("family", "change"), KV_HEADS)
def test_key_and_value_heads_that_are_not_stated(tmp_path, family, change):
    heads = {"num_attention_heads": 64, "hidden_size": 512}
    config = _parse(tmp_path, LLAMA | heads | {"model_type": family} | change)
    unstated = 32 if family == "qwen2" and not change else 64
    assert config.num_kv_heads == (change.get("num_key_value_heads") or unstated)


@pytest.mark.slow
@pytest.mark.parametrize(("family", "change"), KV_HEADS)
def test_transformers_takes_as_many_heads(tmp_path, family, change, run_with_peers):
    heads = {"num_attention_heads": 64, "hidden_size": 512}
    config = _parse(tmp_path, LLAMA | heads | {"model_type": family} | change)
    ask = "import sys, transformers as t; c = t.AutoConfig.from_pretrained(sys.argv[1]); "
    said = run_with_peers("-c", ask + "print('HEADS', c.num_key_value_heads)", tmp_path)
    assert int(said.partition("HEADS ")[2]) == config.num_kv_heads


@pytest.mark.slow
def test_transformers_computes_the_same_whatever_it_was_cut_for(
    tiny_folder, tmp_path, run_peers, check_logits, load_tiny
):
    """Early Llama-2 files say in `pretraining_tp` over how many devices they were trained."""
    folder = shutil.copytree(tiny_folder("llama2"), tmp_path / "model")
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"pretraining_tp": 2}))
    run_peers("logits", folder, tmp_path / "theirs.npz")
    check_logits(*load_tiny("llama2"), tmp_path / "theirs.npz")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not valid JSON"),
        ("[]", "must hold a JSON object"),
        ("[" * 100_000, "not valid JSON"),
        ('{"rms_norm_eps": NaN}', "NaN is not a JSON number"),
        ('{"vocab_size": ' + "9" * 5000 + "}", "not valid JSON"),
        ('{"a": [' + "[]," * 2_000_000 + "0]}", "6000010 bytes of JSON; at most 4194304 are read"),
    ],
)
def test_what_is_no_json_is_refused(tmp_path, text, message):
    with pytest.raises(ModelFileError, match=message):
        _parse(tmp_path, text)


def test_a_config_that_is_no_file_is_refused(tmp_path):
    with pytest.raises(ModelFileError, match=r"config\.json: no such file"):
        parse_config(tmp_path / "config.json")
    with pytest.raises(ModelFileError, match="not a file"):
        parse_config(tmp_path)


def test_scaling_none_is_the_default(tmp_path):
    assert _parse(tmp_path, LLAMA | {"rope_scaling": None}).rope_scaling == NoScaling()


def test_a_window_of_one_token_stretches_nothing(tmp_path):
    change = {"model_type": "phi3", "rope_scaling": LONGROPE, "original_max_position_embeddings": 1}
    assert _parse(tmp_path, LLAMA | change).rope_scaling.attention_factor == 1.0
