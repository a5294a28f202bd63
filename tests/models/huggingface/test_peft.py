"""Adapters in PEFT's format, fused projections included."""

import dataclasses
import json

import jax
import numpy as np
import pytest
import safetensors.numpy

from jaxgap.models import LoraConfig, LoraTarget, init_adapters, join_adapters
from jaxgap.models.huggingface.peft import load_adapters, save_adapters
from jaxgap.models.model_files import ModelFileError
from jaxgap.models.projections import ATTENTION, FEED_FORWARD


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


def _product(folder, name, layer=0):
    """`B A` times the scale that llama.cpp gives it: one alpha a file, over the tensor's rank."""
    stated = json.loads((folder / "adapter_config.json").read_text())
    tensors = safetensors.numpy.load_file(folder / "adapter_model.safetensors")
    a, b = (
        tensors[f"base_model.model.model.layers.{layer}.{name}.lora_{matrix}.weight"]
        for matrix in "AB"
    )
    return stated["lora_alpha"] / b.shape[1] * b @ a


def _trained_product(adapters, lora, part, name, layer=0):
    adapter = jax.device_get(adapters["blocks"][layer][part][name])
    return lora.target(name).scale * (adapter["lora_a"] @ adapter["lora_b"]).T


def test_fused_projections_trained_apart_are_written_exactly(load_tiny, peers, tmp_path):
    model, params = load_tiny("phi35_mini")
    lora = LoraConfig.uniform(2, alpha=3.0, names=("query", "value", "gate", "up", "down"))
    adapters = _random_adapters(model.config, lora)
    save_adapters(tmp_path / "a", model.config, lora, adapters)
    stated = json.loads((tmp_path / "a" / "adapter_config.json").read_text())
    assert (stated["r"], stated["lora_alpha"]) == (4, 6.0)
    assert stated["rank_pattern"] == stated["alpha_pattern"] == {}
    again, reloaded = load_adapters(tmp_path / "a", model.config)
    case = peers.short_case()
    before = _logits(model, params, lora, adapters, case)
    after = _logits(model, params, again, reloaded, case)
    np.testing.assert_allclose(after, before, atol=1e-5)
    assert np.abs(np.asarray(before) - model.apply(params, *case)[0]).max() > 0.1


def test_an_empty_folder_is_filled(load_tiny, tmp_path):
    config, lora = load_tiny("qwen3")[0].config, LoraConfig.uniform(2, alpha=4.0)
    (tmp_path / "there").mkdir()
    (tmp_path / "out").symlink_to("there")
    save_adapters(tmp_path / "out", config, lora, _random_adapters(config, lora))
    assert (tmp_path / "out").is_symlink()
    names = {path.name for path in (tmp_path / "there").iterdir()}
    assert names == {"adapter_config.json", "adapter_model.safetensors"}


def test_one_alpha_and_one_rank_give_every_module_its_scale(load_tiny, tmp_path):
    config = load_tiny("phi35_mini")[0].config
    lora = LoraConfig.uniform(2, alpha=4.0)
    adapters = _random_adapters(config, lora)
    save_adapters(tmp_path / "a", config, lora, adapters)
    attention, feed_forward = (
        {name: _trained_product(adapters, lora, part, name) for name in names}
        for part, names in (("attention", ATTENTION), ("feed_forward", FEED_FORWARD))
    )
    for name, rows in {
        "self_attn.qkv_proj": [attention[name] for name in ("query", "key", "value")],
        "self_attn.o_proj": [attention["output"]],
        "mlp.gate_up_proj": [feed_forward["gate"], feed_forward["up"]],
        "mlp.down_proj": [feed_forward["down"]],
    }.items():
        np.testing.assert_allclose(
            _product(tmp_path / "a", name), np.concatenate(rows), atol=1e-6, err_msg=name
        )


def test_ranks_and_scales_that_differ_become_one(load_tiny, tmp_path):
    config = load_tiny("qwen3")[0].config
    lora = LoraConfig((LoraTarget("query", 2, 1.5), LoraTarget("down", 5, 0.7)))
    adapters = _random_adapters(config, lora)
    save_adapters(tmp_path / "a", config, lora, adapters)
    again, reloaded = load_adapters(tmp_path / "a", config)
    assert {(target.rank, target.scale) for target in again.targets} == {(5, 1.5)}
    for part, name, module in (
        ("attention", "query", "self_attn.q_proj"),
        ("feed_forward", "down", "mlp.down_proj"),
    ):
        trained = _trained_product(adapters, lora, part, name)
        np.testing.assert_allclose(_product(tmp_path / "a", module), trained, atol=1e-6)
        np.testing.assert_allclose(
            _trained_product(reloaded, again, part, name), trained, atol=1e-6
        )


@pytest.mark.parametrize("name", ["q_proj", "self_attn.q_proj", "self.attn.q_proj"])
def test_patterns_are_read(saved, name):
    """Names are regular expressions for the end of a module's name, which begins at a dot."""
    config, folder = saved
    path = folder / "adapter_config.json"
    others = {"attn.q_proj": 5, "proj": 7, "mlp.q_proj": 4}
    alphas = {name: 9, "s.lf_attn.q_proj": 1}  # the first that fits
    patterns = {"r": 8, "rank_pattern": others | {name: 3}, "alpha_pattern": alphas}
    path.write_text(json.dumps(json.loads(path.read_text()) | patterns))
    assert load_adapters(folder, config)[0].targets == (LoraTarget("query", 3, 3.0),)


# What PEFT 0.21.2 writes of `LoraConfig(r=3, lora_alpha=6, target_modules=["q_proj"])`.
PEFT_FORM = {
    "alora_invocation_tokens": None, "alpha_pattern": {}, "arrow_config": None,
    "auto_mapping": None, "base_model_name_or_path": "tiny", "bias": "none", "corda_config": None,
    "ensure_weight_tying": False, "eva_config": None, "exclude_modules": None,
    "fan_in_fan_out": False, "inference_mode": True, "init_lora_weights": True,
    "kasa_config": None, "layer_replication": None, "layers_pattern": None,
    "layers_to_transform": None, "loftq_config": {}, "lora_alpha": 6, "lora_bias": False,
    "lora_dropout": 0.05, "lora_ga_config": None, "megatron_config": None,
    "megatron_core": "megatron.core", "modules_to_save": None, "monteclora_config": None,
    "peft_type": "LORA", "peft_version": "0.21.2", "qalora_group_size": 16, "r": 3,
    "rank_pattern": {}, "revision": None, "target_modules": ["q_proj"], "target_parameters": None,
    "task_type": "CAUSAL_LM", "trainable_token_indices": None, "use_bdlora": None,
    "use_dora": False, "use_qalora": False, "use_rslora": False, "velora_config": None,
}  # fmt: skip


def test_all_that_peft_writes_of_plain_lora_is_read(saved):
    config, folder = saved
    (folder / "adapter_config.json").write_text(json.dumps(PEFT_FORM))
    assert load_adapters(folder, config)[0].targets == (LoraTarget("query", 3, 2.0),)


def test_an_orthogonal_beginning_leaves_the_base_as_it_is(saved):
    config, folder = saved
    before = load_adapters(folder, config)
    path = folder / "adapter_config.json"
    changed = json.loads(path.read_text()) | {"init_lora_weights": "orthogonal"}
    path.write_text(json.dumps(changed))
    jax.tree.map(np.testing.assert_array_equal, load_adapters(folder, config)[1], before[1])


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
        ({"use_dora": True}, "'use_dora' must be absent or empty: only plain LoRA"),
        ({"alora_invocation_tokens": [5, 6]}, "'alora_invocation_tokens' must be absent or empty"),
        ({"use_qalora": True}, "'use_qalora' must be absent or empty"),
        ({"layers_to_transform": [0]}, "'layers_to_transform' must be absent or empty"),
        ({"a_variant\nyet to come": {"x": 1}}, "yet to come' must be absent or empty"),
        ({"bias": "all"}, "bias must be 'none'"),
        ({"modules_to_save": ["lm_head"]}, "'modules_to_save' must be absent or empty"),
        ({"init_lora_weights": "pissa"}, "init_lora_weights must be True"),
        ({"r": 10**9}, "r must be an integer from 1 to 65536"),
        ({"r": 4}, r"must have shape \(4, 32\), got \[3, 32\]"),
        ({"lora_alpha": -1}, "lora_alpha must be a positive finite number"),
        ({"rank_pattern": {"layers.0.self_attn.q_proj": 2}}, "rank_pattern must be an object from"),
        ({"rank_pattern": {".*q_proj": 2}}, "rank_pattern must be an object from"),
        ({"rank_pattern": {"self_attn..q_proj": 2}}, "rank_pattern must be an object from"),
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


def test_a_pickle_is_refused_with_a_way_out(saved):
    config, folder = saved
    (folder / "adapter_model.safetensors").rename(folder / "adapter_model.bin")
    with pytest.raises(
        ModelFileError, match=r"adapter_model\.bin: a pickle.* to adapter_model\.safetensors where"
    ):
        load_adapters(folder, config)


@pytest.mark.parametrize("without", [0, 1])
def test_adapters_of_some_layers_are_refused(saved, without):
    config, folder = saved
    path = folder / "adapter_model.safetensors"
    tensors = safetensors.numpy.load_file(path)
    kept = {name: tensors[name] for name in tensors if f"layers.{without}." not in name}
    safetensors.numpy.save_file(kept, path)
    with pytest.raises(
        ModelFileError,
        match=rf"no adapter of self_attn\.q_proj in layer {without}; all layers must",
    ):
        load_adapters(folder, config)
