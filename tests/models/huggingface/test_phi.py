"""What sets Phi apart: fused names that nothing in its arithmetic asks for, and its exports."""

import dataclasses
import json
import shutil

import jax
import numpy as np
import pytest
import safetensors.numpy

from jaxgap.models import (
    LanguageModel,
    LongRope,
    LoraConfig,
    init_adapters,
    load_adapters,
    save_adapters,
    save_folder,
)
from jaxgap.models.huggingface.config_json import config_json, parse_config
from jaxgap.models.huggingface.folder import load_folder

WINDOW = 7


@pytest.fixture(scope="module")
def phi4_folder(tiny_folder, tmp_path_factory):
    """Like Phi-4 (14 billion): no window, no longrope, every entry of a head turns."""
    folder = tmp_path_factory.mktemp("phi4") / "model"
    shutil.copytree(tiny_folder("phi3_mini"), folder)
    values = json.loads((folder / "config.json").read_text())
    assert values["sliding_window"] == WINDOW
    values |= {"sliding_window": None, "rope_scaling": None}
    (folder / "config.json").write_text(json.dumps(values))
    return folder


@pytest.fixture(scope="module")
def phi4(phi4_folder, make_tokenizer):
    config = parse_config(phi4_folder / "config.json")
    return LanguageModel(config, make_tokenizer(config.vocab_size)), load_folder(phi4_folder)[1]


def test_a_phi_without_its_features_is_still_one(phi4, peers, golden_logits):
    """Tokens that see no farther than the window have the logits of the model with a window."""
    model, params = phi4
    assert (model.config.family, model.config.sliding_window) == ("phi3", None)
    tokens, mask = peers.short_case()
    ours = np.asarray(jax.jit(model.apply)(params, tokens, mask)[0])
    golden = golden_logits("phi3_mini")["short"]
    near = mask & (mask.cumsum(1) <= WINDOW)
    far = mask & ~near
    np.testing.assert_allclose(ours[near], golden[near], atol=1e-4)
    assert np.abs(ours[far] - golden[far]).max() > 0.01


def test_its_export_has_its_names(phi4, tmp_path):
    model, params = phi4
    save_folder(tmp_path / "out", model, params)
    names = safetensors.numpy.load_file(tmp_path / "out" / "model.safetensors").keys()
    assert "model.layers.0.self_attn.qkv_proj.weight" in names
    values = json.loads((tmp_path / "out" / "config.json").read_text())
    assert (values["model_type"], values["architectures"]) == ("phi3", ["Phi3ForCausalLM"])
    assert values["original_max_position_embeddings"] == values["max_position_embeddings"]
    again, reloaded = load_folder(tmp_path / "out")
    assert again.config == model.config
    jax.tree.map(np.testing.assert_array_equal, reloaded, params)


def test_its_adapters_fit_the_modules_of_its_base(phi4, tmp_path):
    config = phi4[0].config
    lora = LoraConfig.uniform(2, alpha=2.0)
    adapters = init_adapters(config, lora, jax.random.key(0))
    save_adapters(tmp_path / "a", config, lora, adapters)
    stated = json.loads((tmp_path / "a" / "adapter_config.json").read_text())
    assert stated["target_modules"] == ["qkv_proj", "gate_up_proj", "o_proj", "down_proj"]
    assert {target.name for target in load_adapters(tmp_path / "a", config)[0].targets} == {
        target.name for target in lora.targets
    }


def _check_as_transformers_4(values):
    """The rule of `Phi3Config._rope_scaling_validation` in transformers 4.57.1."""
    scaling = values["rope_scaling"]
    assert isinstance(scaling, dict)
    assert len(scaling) == 3
    assert scaling["type"] == "longrope"
    head_dim = values["hidden_size"] // values["num_attention_heads"]
    pairs = int(head_dim * values.get("partial_rotary_factor", 1.0)) // 2
    for name in ("short_factor", "long_factor"):
        assert isinstance(scaling[name], list)
        assert all(isinstance(factor, (int, float)) for factor in scaling[name])
        assert len(scaling[name]) == pairs


@pytest.mark.parametrize("family", ["phi35_mini", "phi4_mini"])
def test_longrope_is_written_as_transformers_4_reads_it(family, load_tiny):
    config = load_tiny(family)[0].config
    _check_as_transformers_4(config_json(config))
    # A GGUF file has the attention factor in float32.
    rounded = float(np.float32(config.rope_scaling.magnitude))
    scaling = dataclasses.replace(config.rope_scaling, magnitude=rounded)
    _check_as_transformers_4(config_json(dataclasses.replace(config, rope_scaling=scaling)))


def test_an_attention_factor_of_its_own_is_written(tmp_path, load_tiny):
    config = load_tiny("phi35_mini")[0].config
    scaling = dataclasses.replace(config.rope_scaling, magnitude=1.5)
    assert isinstance(scaling, LongRope)
    config = dataclasses.replace(config, rope_scaling=scaling)
    (tmp_path / "config.json").write_text(json.dumps(config_json(config)))
    assert parse_config(tmp_path / "config.json") == config


def _byte_level_model(config):
    import tokenizers

    from jaxgap.models.fast_tokenizer import FastTokenizer

    alphabet = sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet())
    words = {token: index for index, token in enumerate([*alphabet, "ab", "12", "abc"])}
    merges = [("a", "b"), ("1", "2"), ("ab", "c")]
    backend = tokenizers.Tokenizer(tokenizers.models.BPE(words, merges))
    # Not GPT-2's own rule, so that a class that puts its own in its place is found out.
    backend.pre_tokenizer = tokenizers.pre_tokenizers.Sequence(
        [
            tokenizers.pre_tokenizers.Split(tokenizers.Regex(r"\d|[a-b]+"), "isolated"),
            tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    backend.decoder = tokenizers.decoders.ByteLevel()
    backend.add_special_tokens(["<end>", "<pad>"])
    size = backend.get_vocab_size(True)
    end, pad = (backend.token_to_id(text) for text in ("<end>", "<pad>"))
    tokenizer = FastTokenizer(backend, size, (end,), pad, None, None)
    return LanguageModel(dataclasses.replace(config, vocab_size=size), tokenizer)


def _save_byte_level(config, folder):
    model = _byte_level_model(config)
    save_folder(folder, model, model.init(jax.random.key(0)))
    return model, json.loads((folder / "tokenizer_config.json").read_text())


def test_llama_cpp_is_told_that_a_tokenizer_is_byte_level(phi4, load_tiny, tmp_path):
    config = phi4[0].config
    _, settings = _save_byte_level(config, tmp_path / "phi")
    # Its converter looks for SentencePiece's tokenizer.model in any other Phi-3.
    assert settings["tokenizer_class"] == "GPT2Tokenizer"
    # The class's own defaults would be added to the vocabulary.
    assert {settings[name] for name in ("bos_token", "unk_token")} == {None}
    _, settings = _save_byte_level(load_tiny("qwen3")[0].config, tmp_path / "qwen")
    assert settings["tokenizer_class"] == "PreTrainedTokenizerFast"
    save_folder(tmp_path / "words", *phi4)
    settings = json.loads((tmp_path / "words" / "tokenizer_config.json").read_text())
    assert settings["tokenizer_class"] == "PreTrainedTokenizerFast"


@pytest.mark.slow
def test_transformers_computes_the_same(phi4, run_peers, check_logits, tmp_path):
    model, params = phi4
    save_folder(tmp_path / "out", model, params)
    run_peers("logits", tmp_path / "out", tmp_path / "out.npz")
    check_logits(model, params, tmp_path / "out.npz")


TEXTS = ["abc 12 a<end>x", "ab  cab 1212 \u00e9A\n", " ABC<pad>"]
_ENCODE = """
import json, sys, transformers
tokenizer = transformers.AutoTokenizer.from_pretrained(sys.argv[1])
ids = [tokenizer.encode(text) for text in json.loads(sys.argv[2])]
texts = [tokenizer.decode(row, clean_up_tokenization_spaces=False) for row in ids]
print(json.dumps([len(tokenizer), ids, texts]))
"""


@pytest.mark.slow
def test_transformers_has_the_same_tokenizer(phi4, run_with_peers, tmp_path):
    model, _ = _save_byte_level(phi4[0].config, tmp_path / "out")
    said = run_with_peers("-c", _ENCODE, tmp_path / "out", json.dumps(TEXTS))
    size, ids, texts = json.loads(said)
    assert size == model.tokenizer.vocab_size
    assert ids == [model.tokenizer.encode(text) for text in TEXTS]
    assert texts == TEXTS
