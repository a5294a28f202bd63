"""Beside transformers and PEFT themselves: our exports in theirs, theirs in ours.

Slow, and only where `JAXGAP_PEERS_PYTHON` names an interpreter that has them (see `peers.py`).
"""

import dataclasses

import jax
import numpy as np
import pytest

from jaxgap.models import (
    LoraConfig,
    init_adapters,
    join_adapters,
    load_adapters,
    merge_adapters,
    save_adapters,
    save_folder,
)
from jaxgap.models.huggingface.config_json import parse_config
from jaxgap.models.huggingface.folder import load_folder
from jaxgap.models.language_model import LanguageModel

FAMILIES = ("llama3", "phi3_mini", "phi35_mini", "phi4_mini", "qwen25", "qwen3")

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("family", FAMILIES)
def test_exports_both_ways(
    family, run_peers, check_logits, load_tiny, make_tokenizer, write_tokenizer, tmp_path
):
    """Ours gives transformers the same logits; what it saves, in shards, is read by us."""
    model, params = load_tiny(family)
    save_folder(tmp_path / "ours", model, params, max_shard_bytes=20_000)
    run_peers("logits", tmp_path / "ours", tmp_path / "ours.npz")
    check_logits(model, params, tmp_path / "ours.npz")

    run_peers("save", family, tmp_path / "theirs")
    config = parse_config(tmp_path / "theirs" / "config.json")
    assert (tmp_path / "theirs" / "model.safetensors.index.json").exists()
    write_tokenizer(tmp_path / "theirs", config.vocab_size)
    reloaded = load_folder(tmp_path / "theirs")[1]
    jax.tree.map(np.testing.assert_array_equal, reloaded, params)
    check_logits(LanguageModel(config, make_tokenizer(64)), reloaded, tmp_path / "ours.npz")


@pytest.mark.parametrize("family", ["phi35_mini", "qwen3"])
def test_adapters_both_ways(family, run_peers, check_logits, load_tiny, tmp_path):
    """PEFT's adapter gives us its logits; ours, trained apart where PEFT fuses, gives it ours."""
    model, params = load_tiny(family)
    base = tmp_path / "base"
    save_folder(base, model, params)
    run_peers("adapter", base, tmp_path / "theirs")
    lora, adapters = load_adapters(tmp_path / "theirs", model.config)
    adapted = dataclasses.replace(model, lora=lora)
    check_logits(adapted, join_adapters(params, adapters), tmp_path / "theirs.npz")
    check_logits(model, merge_adapters(params, adapters, lora), tmp_path / "theirs.npz")

    lora = LoraConfig.uniform(2, alpha=3.0, names=("query", "value", "gate", "down"))
    keys = iter(jax.random.split(jax.random.key(1), 100))
    adapters = init_adapters(model.config, lora, jax.random.key(0))
    adapters = jax.tree.map(lambda x: 0.3 * jax.random.normal(next(keys), x.shape), adapters)
    save_adapters(tmp_path / "ours", model.config, lora, adapters, base_model=str(base))
    run_peers("adapter-logits", base, tmp_path / "ours", tmp_path / "ours.npz")
    adapted = dataclasses.replace(model, lora=lora)
    check_logits(adapted, join_adapters(params, adapters), tmp_path / "ours.npz")
