"""The decoder is causal, blind to padding, and the same with and without a cache."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgap.models import LanguageModel, init_cache

TOKENS = jnp.array([[3, 1, 4, 1, 5, 9], [2, 7, 1, 8, 2, 8]])
REAL = jnp.ones_like(TOKENS, dtype=bool)


def test_no_gradient_from_later_tokens(tiny_model):
    # Untied, with a token of its own at each position, an embedding's row is one position's input.
    config = dataclasses.replace(tiny_model.config, tie_embeddings=False)
    model = LanguageModel(config, tiny_model.tokenizer)
    params = model.init(jax.random.key(1))
    tokens = jnp.arange(6)[None]

    def logits(embedding):
        changed = {**params, "embedding": {"embedding": embedding}}
        return model.apply(changed, tokens, jnp.ones_like(tokens, bool))[0][0]

    jacobian = jax.jit(jax.jacrev(logits))(params["embedding"]["embedding"])
    influence = np.abs(jacobian).sum(axis=(1, 3))[:, :6]
    assert (np.triu(influence, 1) == 0).all()
    assert (np.diag(influence) > 0).all()
    assert (influence[-1] > 0).all()


@pytest.mark.parametrize("pieces", [[6], [1, 1, 1, 1, 1, 1], [4, 2]])
def test_cache_changes_nothing(tiny_model, tiny_params, pieces):
    apply = jax.jit(tiny_model.apply)
    whole, no_cache = apply(tiny_params, TOKENS, REAL)
    assert no_cache is None
    cache = init_cache(tiny_model.config, 2, 9)
    parts, start = [], 0
    for size in pieces:
        piece = slice(start, start + size)
        logits, cache = apply(tiny_params, TOKENS[:, piece], REAL[:, piece], cache)
        parts.append(logits)
        start += size
    np.testing.assert_allclose(jnp.concatenate(parts, axis=1), whole, atol=1e-5)
    assert int(cache.length) == 6


@pytest.mark.parametrize("cached", [False, True])
def test_left_padding_changes_nothing(tiny_model, tiny_params, cached):
    padded = jnp.pad(TOKENS, ((0, 0), (3, 0)), constant_values=tiny_model.tokenizer.pad_id)
    mask = jnp.pad(REAL, ((0, 0), (3, 0)))
    cache = init_cache(tiny_model.config, 2, 9) if cached else None
    apply = jax.jit(tiny_model.apply)
    plain, _ = apply(tiny_params, TOKENS, REAL)
    logits, _ = apply(tiny_params, padded, mask, cache)
    assert np.isfinite(logits).all()
    np.testing.assert_allclose(logits[:, 3:], plain, atol=1e-5)


def test_logits_are_float32_even_for_narrow_weights(tiny_model, tiny_params):
    narrow = jax.tree.map(lambda x: x.astype(jnp.bfloat16), tiny_params)
    assert tiny_model.apply(narrow, TOKENS, REAL)[0].dtype == jnp.float32


def test_vocabularies_must_agree(tiny_model):
    config = dataclasses.replace(tiny_model.config, vocab_size=99)
    with pytest.raises(ValueError, match=r"config.vocab_size must be the tokenizer's 14, got 99"):
        LanguageModel(config, tiny_model.tokenizer)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"num_kv_heads": 3}, "num_kv_heads must divide num_heads=4, got 3"),
        ({"head_dim": 7}, "head_dim must be even, got 7"),
        ({"num_layers": 0}, "num_layers must be positive, got 0"),
    ],
)
def test_impossible_shapes_are_refused(tiny_model, change, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(tiny_model.config, **change)
