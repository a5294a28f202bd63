"""A cache that is full says so, and so does one of another floating type."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgap.models import init_cache
from jaxgap.sampling import encode_prompts, sample

TOKENS = jnp.arange(10)[None]
REAL = jnp.ones_like(TOKENS, dtype=bool)


def test_a_full_cache_takes_no_more(tiny_model, tiny_params):
    cache = init_cache(tiny_model.config, 1, 3)
    for index in range(3):
        piece = slice(index, index + 1)
        _, cache = tiny_model.apply(tiny_params, TOKENS[:, piece], REAL[:, piece], cache)
    with pytest.raises(ValueError, match="got 1 of them with 3 of 3 slots in use: take more num_s"):
        tiny_model.apply(tiny_params, TOKENS[:, 3:4], REAL[:, 3:4], cache)


def test_more_tokens_than_slots_are_refused_under_jit_too(tiny_model, tiny_params):
    cache = init_cache(tiny_model.config, 1, 8)
    with pytest.raises(ValueError, match="got 10 of them with 0 of 8 slots in use"):
        jax.jit(tiny_model.apply)(tiny_params, TOKENS, REAL, cache)


def test_norms_of_a_wider_type_are_refused_in_one_line(tiny_model, tiny_params):
    mixed = jax.tree.map_with_path(
        lambda path, x: x if "scale" in str(path) else x.astype(jnp.bfloat16), tiny_params
    )
    prompts = encode_prompts(tiny_model.tokenizer, ["1+2="], 4)
    with pytest.raises(ValueError, match="one floating type, that of the cache, bfloat16; got key"):
        sample(tiny_model, mixed, prompts, jax.random.key(0), num_candidates=1, max_new_tokens=2)
    assert np.isfinite(tiny_model.apply(mixed, TOKENS, REAL)[0]).all()
