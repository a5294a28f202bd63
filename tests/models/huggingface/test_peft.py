"""Adapters in PEFT's format, fused projections included."""

import dataclasses
import json

import jax
import numpy as np
import pytest
import safetensors.numpy

from jaxgap.models import LoraConfig, init_adapters, join_adapters
from jaxgap.models.huggingface.peft import load_adapters, save_adapters
from jaxgap.models.outside import ModelFileError


def _random_adapters(config, lora, seed=0):
    adapters = init_adapters(config, lora, jax.random.key(seed))
    keys = iter(jax.random.split(jax.random.key(seed + 1), 1000))
    return jax.tree.map(lambda x: 0.3 * jax.random.normal(next(keys), x.shape), adapters)


def _logits(model, params, lora, adapters, case):
    adapted = dataclasses.replace(model, lora=lora)
    return jax.jit(adapted.apply)(join_adapters(params, adapters), *case)[0]


@pytest.mark.parametrize("family", ["qwen3", "llama2"])
def test_what_is_saved_is_read_back(family, load_tiny, tmp_path):
    config = load_tiny(family)[0].config
    lora = LoraConfig.uniform(3, alpha=6.0, names=("query", "value", "down"))
    adapters = _random_adapters(config, lora)
    save_adapters(tmp_path / "a", config, lora, adapters, base_model="tiny")
    again, reloaded = load_adapters(tmp_path / "a", config)
    assert set(again.targets) == set(lora.targets)
    jax.tree.map(np.testing.assert_array_equal, reloaded, adapters)


def test_fused_projections_trained_apart_are_written_exactly(load_tiny, peers, tmp_path):
    model, params = load_tiny("phi35_mini")
    lora = LoraConfig.uniform(2, alpha=3.0, names=("query", "value", "gate", "up", "down"))
    adapters = _random_adapters(model.config, lora)
    save_adapters(tmp_path / "a", model.config, lora, adapters)
    stated = json.loads((tmp_path / "a" / "adapter_config.json").read_text())
    assert stated["r"] == 4
    assert stated["rank_pattern"] == {"down_proj": 2}
    again, reloaded = load_adapters(tmp_path / "a", model.config)
    case = peers.short_case()
    before = _logits(model, params, lora, adapters, case)
    after = _logits(model, params, again, reloaded, case)
    np.testing.assert_allclose(after, before, atol=1e-5)
    assert np.abs(np.asarray(before) - model.apply(params, *case)[0]).max() > 0.1


def test_a_shared_a_is_written_once(load_tiny, tmp_path):
    config = load_tiny("phi35_mini")[0].config
    lora = LoraConfig.uniform(2, alpha=3.0)
    save_adapters(tmp_path / "a", config, lora, _random_adapters(config, lora))
    _, stacked = load_adapters(tmp_path / "a", config)
    again, _ = load_adapters(tmp_path / "a", config)
    save_adapters(tmp_path / "b", config, again, stacked)
    first, second = (
        safetensors.numpy.load_file(tmp_path / name / "adapter_model.safetensors") for name in "ab"
    )
    assert first.keys() == second.keys()
    for name in first:
        np.testing.assert_array_equal(first[name], second[name])


@pytest.fixture
def saved(load_tiny, tmp_path):
    config = load_tiny("qwen3")[0].config
    lora = LoraConfig.uniform(3, alpha=6.0, names=("query",))
    save_adapters(tmp_path / "a", config, lora, _random_adapters(config, lora))
    return config, tmp_path / "a"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"peft_type": "IA3"}, "peft_type must be 'LORA'"),
        ({"use_dora": True}, "use_dora must be False"),
        ({"bias": "all"}, "bias must be 'none'"),
        ({"modules_to_save": ["lm_head"]}, r"modules_to_save must be \[\]"),
        ({"init_lora_weights": "pissa"}, "init_lora_weights must be True"),
        ({"r": 10**9}, "r must be an integer from 1 to 65536"),
        ({"r": 4}, r"must have shape \(4, 32\), got \[3, 32\]"),
        ({"lora_alpha": -1}, "lora_alpha must be a positive finite number"),
        ({"rank_pattern": {"layers.0.self_attn.q_proj": 2}}, "rank_pattern must be an object from"),
        ({"rank_pattern": {"q_proj": "2"}}, "rank_pattern: q_proj must be an integer"),
    ],
)
def test_other_adapters_are_refused_in_one_line(saved, change, message):
    config, folder = saved
    path = folder / "adapter_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(ModelFileError, match=message) as caught:
        load_adapters(folder, config)
    assert "\n" not in str(caught.value)


def test_rank_stabilised_scale(saved):
    config, folder = saved
    path = folder / "adapter_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"use_rslora": True}))
    assert load_adapters(folder, config)[0].targets[0].scale == pytest.approx(6 / 3**0.5)


def test_adapters_of_another_model_are_refused(saved, load_tiny):
    _, folder = saved
    with pytest.raises(ModelFileError, match="no adapters of projections of this decoder"):
        load_adapters(folder, load_tiny("phi3_mini")[0].config)
    with pytest.raises(ModelFileError, match="must have shape"):
        load_adapters(folder, load_tiny("qwen25")[0].config)
    (folder / "adapter_model.safetensors").unlink()
    with pytest.raises(ModelFileError, match="no such file"):
        load_adapters(folder, load_tiny("qwen3")[0].config)
