"""Adapters change nothing at first, share the base, and can be merged into it."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgap.models import (
    LoraConfig,
    init_adapters,
    init_cache,
    join_adapters,
    merge_adapters,
)
from jaxgap.sampling import TokenBatch, encode_prompts, sample
from jaxgap.training import BatchShape, Computation, Examples, pack, training_loss

LORA = LoraConfig.uniform(3, alpha=6.0)
TOKENS = jnp.array([[3, 1, 4, 1, 5, 9]])
REAL = jnp.ones_like(TOKENS, dtype=bool)
BATCH = pack(Examples(TokenBatch(TOKENS, REAL), TOKENS, REAL), BatchShape(1, 1, 12))


@pytest.fixture(scope="module")
def adapted(tiny_model):
    return dataclasses.replace(tiny_model, lora=LORA)


@pytest.fixture(scope="module")
def adapters(tiny_model):
    return init_adapters(tiny_model.config, LORA, jax.random.key(0))


def test_new_adapters_change_nothing_and_copy_nothing(tiny_model, adapted, tiny_params, adapters):
    joined = join_adapters(tiny_params, adapters)
    plain, _ = tiny_model.apply(tiny_params, TOKENS, REAL)
    np.testing.assert_array_equal(adapted.apply(joined, TOKENS, REAL)[0], plain)
    shared = {id(leaf) for leaf in jax.tree.leaves(joined)}
    assert shared == {id(leaf) for leaf in jax.tree.leaves((tiny_params, adapters))}
    assert jax.tree.structure(joined) == jax.tree.structure(adapted.shapes())


def test_merged_adapters_are_the_same_model(tiny_model, adapted, tiny_params, adapters):
    trained = jax.tree.map(lambda x: x + 0.1, adapters)
    merged = merge_adapters(tiny_params, trained, LORA)
    apart, _ = adapted.apply(join_adapters(tiny_params, trained), TOKENS, REAL)
    np.testing.assert_allclose(tiny_model.apply(merged, TOKENS, REAL)[0], apart, atol=2e-4)
    assert np.abs(apart - tiny_model.apply(tiny_params, TOKENS, REAL)[0]).max() > 0.1
    assert merged["norm"]["scale"] is tiny_params["norm"]["scale"]
    assert jax.tree.structure(merged) == jax.tree.structure(tiny_params)


def test_adapters_merged_into_a_narrow_base_keep_what_it_would_round_away(
    tiny_model, adapted, tiny_params, adapters
):
    base = jax.tree.map(lambda x: x.astype(jnp.bfloat16), tiny_params)
    trained = jax.tree.map(lambda x: x + 0.001, adapters)
    merged = merge_adapters(base, trained, LORA)
    change = 2.0 * trained["blocks"][0]["attention"]["query"]["lora_a"].sum(1) * 0.001
    kernel = base["blocks"][0]["attention"]["query"]["kernel"].astype(jnp.float32)
    # Most changes are less than half of the distance to the next bfloat16.
    assert (jnp.abs(change)[:, None] < jnp.abs(kernel) * 2.0**-9).mean() > 0.5

    wide = jax.tree.map(lambda x: x.astype(jnp.float32), base)
    apart, _ = adapted.apply(join_adapters(wide, trained), TOKENS, REAL)
    plain, _ = tiny_model.apply(wide, TOKENS, REAL)
    together, _ = tiny_model.apply(merged, TOKENS, REAL)
    assert jnp.linalg.norm(together - apart) < 0.01 * jnp.linalg.norm(apart - plain)
    assert {leaf.dtype for leaf in jax.tree.leaves(merged)} == {jnp.dtype("float32")}


OTHERS = [
    (None, "it has none for 'key', and params have rank 3"),
    (LoraConfig.uniform(4, alpha=6.0), "it has rank 4 for 'key', and params have rank 3"),
    (LoraConfig.uniform(3, alpha=6.0, names=("query",)), "it has none for 'key'"),
]


@pytest.mark.parametrize(("lora", "complaint"), OTHERS)
def test_adapters_of_another_configuration_are_refused(
    tiny_model, tiny_params, adapters, lora, complaint
):
    other = dataclasses.replace(tiny_model, lora=lora)
    joined = join_adapters(tiny_params, adapters)
    prompts = encode_prompts(tiny_model.tokenizer, ["1+2="], 4)
    with pytest.raises(ValueError, match=complaint):
        other.apply(joined, TOKENS, REAL)
    with pytest.raises(ValueError, match=complaint):
        sample(other, joined, prompts, jax.random.key(0), num_candidates=1, max_new_tokens=2)
    with pytest.raises(ValueError, match=complaint):
        training_loss(other, Computation(), joined, BATCH)


def test_missing_adapters_are_refused(adapted, tiny_params):
    with pytest.raises(ValueError, match="has rank 3 for 'key', and params have none"):
        adapted.hidden_states(tiny_params, TOKENS, REAL)


def test_adapters_are_merged_by_their_own_configuration_alone(tiny_params, adapters):
    with pytest.raises(ValueError, match="it has rank 4 for 'query', and params have rank 3"):
        merge_adapters(tiny_params, adapters, LoraConfig.uniform(4, alpha=6.0))
    with pytest.raises(ValueError, match="it has none for 'key', and params have rank 3"):
        merge_adapters(tiny_params, adapters, LoraConfig.uniform(3, alpha=6.0, names=("query",)))


def test_gradients_reach_the_adapters_alone(adapted, tiny_params, adapters):
    def loss(adapters):
        return adapted.apply(join_adapters(tiny_params, adapters), TOKENS, REAL)[0].std()

    gradients = jax.jit(jax.grad(loss))(jax.tree.map(lambda x: x + 0.1, adapters))
    assert jax.tree.structure(gradients) == jax.tree.structure(adapters)
    assert all(np.abs(leaf).max() > 0 for leaf in jax.tree.leaves(gradients))


def test_adapters_work_with_a_cache(adapted, tiny_params, adapters):
    joined = join_adapters(tiny_params, jax.tree.map(lambda x: x + 0.1, adapters))
    apply = jax.jit(adapted.apply)
    whole, _ = apply(joined, TOKENS, REAL)
    cache = init_cache(adapted.config, 1, 6)
    _, cache = apply(joined, TOKENS[:, :5], REAL[:, :5], cache)
    last, _ = apply(joined, TOKENS[:, 5:], REAL[:, 5:], cache)
    np.testing.assert_allclose(last[:, 0], whole[:, -1], atol=1e-4)


@pytest.mark.parametrize(
    ("base", "kept"),
    [
        ("bfloat16", "float32"),
        ("float32", "bfloat16"),
        pytest.param("bfloat16", "bfloat16", marks=pytest.mark.slow),
    ],
)
def test_activations_have_the_type_of_the_base_and_gradients_that_of_the_adapters(
    adapted, tiny_params, adapters, base, kept
):
    params = jax.tree.map(lambda x: x.astype(base), tiny_params)
    adapters = jax.tree.map(lambda x: (x + 0.1).astype(kept), adapters)

    def loss(adapters):
        hidden, cache = adapted.hidden_states(
            join_adapters(params, adapters),
            TOKENS,
            REAL,
            init_cache(adapted.config, 1, 6, dtype=base),
        )
        return hidden.astype(jnp.float32).std(), (hidden, cache)

    gradients, (hidden, cache) = jax.jit(jax.grad(loss, has_aux=True))(adapters)
    assert {leaf.dtype for leaf in (hidden, *cache.keys, *cache.values)} == {jnp.dtype(base)}
    assert {leaf.dtype for leaf in jax.tree.leaves(gradients)} == {jnp.dtype(kept)}
    assert all(np.abs(leaf).max() > 0 for leaf in jax.tree.leaves(gradients))


def test_wide_adapters_on_a_narrow_base_are_read_as_narrow_ones(adapted, tiny_params, adapters):
    """As training in mixed precision reads them; and sampled, with a cache of the base's type."""
    narrow = jax.tree.map(lambda x: x.astype(jnp.bfloat16), tiny_params)
    trained = jax.tree.map(lambda x: x + 0.1, adapters)
    rounded = jax.tree.map(lambda x: x.astype(jnp.bfloat16), trained)
    mixed, _ = adapted.apply(join_adapters(narrow, trained), TOKENS, REAL)
    np.testing.assert_array_equal(
        mixed, adapted.apply(join_adapters(narrow, rounded), TOKENS, REAL)[0]
    )
    prompts = encode_prompts(adapted.tokenizer, ["1+2=", "30+4="], 5)
    drawn, expected = (
        sample(
            adapted, join_adapters(narrow, kept), prompts, jax.random.key(0),
            num_candidates=2, max_new_tokens=3,
        )
        for kept in (trained, rounded)
    )  # fmt: skip
    np.testing.assert_array_equal(drawn.tokens, expected.tokens)
    np.testing.assert_array_equal(drawn.logprobs, expected.logprobs)
