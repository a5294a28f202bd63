"""Prefixes are moved between groups as NumPy moves rows, and hold each prompt's keys."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgap.models import init_cache
from jaxgap.sampling import pad_left
from jaxgap.sampling.prefix import (
    Prefixes,
    copy_prefix,
    init_prefixes,
    insert_prefix,
    prefill,
    rearranged_prefixes,
)

PROMPTS = [[1, 10, 2], [7, 3, 10, 4, 4]]


def filled(num_groups, num_slots, seed):
    rng = np.random.default_rng(seed)
    keys = rng.standard_normal((2, num_groups, 2, 4, num_slots))
    values = rng.standard_normal((2, num_groups, 2, num_slots, 4))
    valid = jnp.asarray(rng.random((num_groups, num_slots)) < 0.5)
    return Prefixes(tuple(map(jnp.asarray, keys)), tuple(map(jnp.asarray, values)), valid)


def leaves(prefixes):
    return [np.array(leaf) for leaf in jax.tree.leaves(prefixes)]


@pytest.mark.parametrize(("source", "group"), [(0, 2), (1, 0), (1, 1)])
def test_a_prompt_takes_the_place_of_a_group(source, group):
    groups, prompts = filled(3, 6, seed=0), filled(2, 6, seed=1)
    expected = leaves(groups)
    for ours, theirs in zip(expected, leaves(prompts), strict=True):
        ours[group] = theirs[source]
    inserted = insert_prefix(groups, prompts, jnp.int32(source), jnp.int32(group))
    for ours, theirs in zip(leaves(inserted), expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    for array in expected:
        array[group] = array[2 - source]
    copied = copy_prefix(inserted, jnp.int32(2 - source), jnp.int32(group))
    for ours, theirs in zip(leaves(copied), expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("kept", [None, [2, 0], [1, 1, 1, 2]])
def test_groups_are_rearranged_and_widened_with_nothing(kept):
    groups = filled(3, 6, seed=0)
    keys, values, valid = (np.array(each) for each in groups)
    rows = slice(None) if kept is None else kept
    found = rearranged_prefixes(groups, None if kept is None else np.array(kept), 8)
    assert found.num_slots == 8
    np.testing.assert_array_equal(found.keys, np.pad(keys[:, rows], [(0, 0)] * 4 + [(0, 2)]))
    np.testing.assert_array_equal(
        found.values, np.pad(values[:, rows], [(0, 0)] * 3 + [(0, 2), (0, 0)])
    )
    np.testing.assert_array_equal(found.valid, np.pad(valid[rows], [(0, 0), (0, 2)]))


def test_a_prefill_holds_the_cache_and_logits_of_each_prompt_alone(tiny_model, tiny_params):
    pad_id = tiny_model.tokenizer.pad_id
    found, logits = prefill(tiny_model, tiny_params, pad_left(PROMPTS, 5, pad_id))
    assert found.valid.tolist() == [[False] * 2 + [True] * 3, [True] * 5]
    empty = init_prefixes(tiny_model.config, 2, 5, jnp.float32)
    assert jax.tree.map(jnp.shape, empty) == jax.tree.map(jnp.shape, found)
    assert not any(leaf.any() for leaf in jax.tree.leaves(empty))

    @jax.jit
    def alone(tokens):
        cache = init_cache(tiny_model.config, 1, tokens.shape[1], jnp.float32)
        return tiny_model.apply(tiny_params, tokens, tokens >= 0, cache)

    for row, prompt in enumerate(PROMPTS):
        (expected, cache), real = alone(jnp.array([prompt])), slice(5 - len(prompt), None)
        np.testing.assert_allclose(logits[row], expected[0, -1], atol=1e-5)
        for layer in range(tiny_model.config.num_layers):
            np.testing.assert_allclose(
                found.keys[layer][row, ..., real], cache.keys[layer][0].swapaxes(1, 2), atol=1e-5
            )
            np.testing.assert_allclose(
                found.values[layer][row, :, real], cache.values[layer][0], atol=1e-5
            )
