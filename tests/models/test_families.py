"""Every family computes what transformers does, on the same numbers.

The reference logits are in `golden/`, made by `peers.py`.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgap.models import init_cache

FAMILIES = (
    "llama2",
    "llama3",
    "llama_linear",
    "phi3_mini",
    "phi35_mini",
    "phi4_mini",
    "qwen25",
    "qwen3",
    "smollm2",
)
# Those whose keys are each turned, scaled by the length, windowed or normed in a way of its own.
CACHED = ("llama3", "phi3_mini", "phi35_mini", "qwen3")


@pytest.fixture(scope="module", params=FAMILIES)
def family(request):
    return request.param


@pytest.fixture(scope="module")
def loaded(family, load_tiny):
    return load_tiny(family)


def test_every_family_has_a_golden_file(peers):
    assert set(FAMILIES) == set(peers.FAMILIES)
    assert {path.name for path in peers.GOLDEN.iterdir() if path.is_dir()} == set(FAMILIES)


def test_logits_are_those_of_transformers(family, loaded, peers, golden_logits):
    model, params = loaded
    golden = golden_logits(family)
    for name, (tokens, mask) in {"short": peers.short_case(), "long": peers.long_case()}.items():
        logits, _ = jax.jit(model.apply)(params, tokens, mask)
        ours, theirs = np.asarray(logits), golden[name]
        ours = ours[:, -theirs.shape[1] :]
        seen = mask[:, -theirs.shape[1] :]
        np.testing.assert_allclose(ours[seen], theirs[seen], atol=1e-4)
        assert np.abs(theirs[seen]).max() > 1


def test_a_cache_changes_nothing(family, loaded, peers, golden_logits, request):
    if family not in CACHED and not request.config.getoption("--slow"):
        pytest.skip("slow: run with --slow")
    model, params = loaded
    for (tokens, mask), name in ((peers.short_case(), "short"), (peers.long_case(), "long")):
        golden = golden_logits(family)[name]
        cache = init_cache(model.config, len(tokens), tokens.shape[1] + 3)
        step = jax.jit(model.apply)
        first = tokens.shape[1] - 3
        logits, cache = step(params, tokens[:, :first], mask[:, :first], cache)
        parts = [logits[:, -1]]
        for place in range(first, tokens.shape[1]):
            piece = slice(place, place + 1)
            logits, cache = step(params, tokens[:, piece], mask[:, piece], cache)
            parts.append(logits[:, 0])
        np.testing.assert_allclose(jnp.stack(parts, 1), golden[:, -4:], atol=1e-4)


def test_each_row_of_longrope_decides_by_its_own_length(load_tiny, peers):
    model, params = load_tiny("phi35_mini")
    tokens, mask = peers.long_case()
    mixed = mask.copy()
    mixed[1, :-10] = False
    apply = jax.jit(model.apply)
    together, _ = apply(params, tokens, mixed)
    alone, _ = apply(params, tokens[1:, -10:], mask[1:, -10:])
    np.testing.assert_allclose(together[1, -10:], alone[0], atol=1e-5)


def test_bfloat16_keeps_its_type_and_comes_close(load_tiny, peers, golden_logits):
    model, params = load_tiny("qwen25")
    params = jax.tree.map(lambda x: x.astype(jnp.bfloat16), params)
    tokens, mask = peers.short_case()
    cache = init_cache(model.config, 2, 12, jnp.bfloat16)
    hidden, cache = jax.jit(model.hidden_states)(params, tokens, mask, cache)
    assert hidden.dtype == cache.keys[0].dtype == jnp.bfloat16
    logits = jax.jit(model.logits)(params, hidden)
    assert logits.dtype == jnp.float32
    golden = golden_logits("qwen25")["short"]
    assert np.abs(np.asarray(logits) - golden)[mask].max() < 0.05 * np.abs(golden).max()
