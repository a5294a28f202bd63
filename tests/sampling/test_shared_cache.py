"""Attention over prompt and ring is that of the full forward, in narrow types too."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgap.sampling.prefix import Prefixes
from jaxgap.sampling.ring import Ring
from jaxgap.sampling.shared_cache import SharedPrefixCache

HEAD_DIM, NUM_SLOTS = 128, 16


@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-5), ("bfloat16", 0.006)])
def test_scores_of_narrow_queries_are_scaled_in_float32(dtype, tolerance):
    rng = np.random.default_rng(0)
    query, key, value = (
        jnp.asarray(3 * rng.normal(size=size), dtype)
        for size in ((64, 1, 1, HEAD_DIM), (1, 1, NUM_SLOTS, HEAD_DIM), (1, 1, NUM_SLOTS, HEAD_DIM))
    )
    prefixes = Prefixes((key.swapaxes(2, 3),), (value,), jnp.ones((1, NUM_SLOTS), bool))
    ring = Ring(
        (jnp.zeros((64, 1, HEAD_DIM, 8), dtype),),
        (jnp.zeros((64, 1, 8, HEAD_DIM), dtype),),
        jnp.int32(1),
    )
    cache = SharedPrefixCache(prefixes, ring, jnp.zeros(64, jnp.int32))
    own = jnp.zeros((64, 1, 1, HEAD_DIM), dtype)
    mask = jnp.concatenate(
        [jnp.ones((64, 1, NUM_SLOTS), bool), jnp.zeros((64, 1, 8), bool)], axis=2
    )
    mixed, _ = jax.jit(lambda: cache.attend(0, query, own, own, mask))()

    query, key, value = (np.asarray(array, np.float64) for array in (query, key, value))
    scores = query[:, 0, 0] @ key[0, 0].T / HEAD_DIM**0.5
    weights = np.exp(scores - scores.max(1, keepdims=True))
    expected = weights / weights.sum(1, keepdims=True) @ value[0, 0]
    error = np.asarray(mixed, np.float64)[:, 0, 0] - expected
    assert np.sqrt((error**2).mean()) < tolerance


@pytest.mark.parametrize("apart", [-50.0, 0.0, 50.0])
@pytest.mark.parametrize("hidden", [None, "prompt", "ring"])
def test_prompt_and_ring_are_merged_into_one_softmax(apart, hidden):
    """Wherever the largest scores lie, and where one of the two has nothing to see."""
    rng = np.random.default_rng(1)
    head_dim, prompt_slots, ring_slots = 8, 5, 4
    query = jnp.asarray(rng.normal(size=(1, 1, 1, head_dim)), jnp.float32)
    keys, values = rng.normal(size=(2, prompt_slots + ring_slots, head_dim)).astype(np.float32)
    direction = np.asarray(query[0, 0, 0])
    keys[:prompt_slots] += apart * head_dim**0.5 * direction / (direction @ direction)
    prefix_keys = jnp.asarray(keys[None, None, :prompt_slots]).swapaxes(2, 3)
    prefix_values = jnp.asarray(values[None, None, :prompt_slots])
    prefixes = Prefixes((prefix_keys,), (prefix_values,), jnp.ones((1, prompt_slots), bool))
    # The last slot is written by `attend` itself.
    in_ring = jnp.asarray(keys[None, None, prompt_slots:]).swapaxes(2, 3).at[..., -1].set(0)
    ring = Ring((in_ring,), (jnp.asarray(values[None, None, prompt_slots:]),), jnp.int32(4))
    seen = np.ones(prompt_slots + ring_slots, bool)
    if hidden is not None:
        seen[slice(prompt_slots) if hidden == "prompt" else slice(prompt_slots, None)] = False
    cache = SharedPrefixCache(prefixes, ring, jnp.ones(1, jnp.int32))
    latest = (keys[None, None, -1:], values[None, None, -1:])
    mixed, _ = cache.attend(0, query, *map(jnp.asarray, latest), jnp.asarray(seen)[None, None])

    scores = keys[seen].astype(np.float64) @ direction / head_dim**0.5
    weights = np.exp(scores - scores.max())
    expected = weights @ values[seen] / weights.sum()
    np.testing.assert_allclose(mixed[0, 0, 0], expected, rtol=1e-4, atol=1e-5)
