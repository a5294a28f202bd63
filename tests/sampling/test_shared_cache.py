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
