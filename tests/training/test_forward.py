"""Packed rows are computed as each of their texts alone would be."""

import dataclasses
import functools

import jax
import numpy as np
import pytest
from flax import nnx
from hypothesis import given
from hypothesis import strategies as st

from jaxgap.sampling import pad_left
from jaxgap.training.forward import packed_attention_inputs, packed_hidden_states

LENGTHS = (3, 1, 6)  # of the texts in a row of 12, which padding fills up
SEGMENTS = np.repeat([1, 2, 3, 0], [*LENGTHS, 12 - sum(LENGTHS)])

_inputs = jax.jit(packed_attention_inputs, static_argnums=0)


@pytest.mark.parametrize("window", [None, 1, 3, 20])
@given(st.lists(st.booleans(), min_size=9, max_size=9))
def test_positions_and_mask_restart_with_each_text(tiny_model, window, begins):
    config = dataclasses.replace(tiny_model.config, sliding_window=window)
    firsts = [0, *(place for place, begin in enumerate(begins, 1) if begin)]
    lengths = np.diff([*firsts, 10])
    segments = np.repeat(np.arange(len(firsts)), lengths)
    places = np.arange(10) - np.repeat(firsts, lengths)
    inputs = _inputs(config, segments[None])
    pairs = np.arange(0, config.head_dim, 2)
    angles = places[:, None] * config.rope_theta ** (-pairs / config.head_dim)
    np.testing.assert_allclose(inputs.cosines[0, :, 0], np.cos(angles), atol=1e-5)
    np.testing.assert_allclose(inputs.sines[0, :, 0], np.sin(angles), atol=1e-5)
    sees = [
        [first <= key <= query and query - key < (window or 10) for key in range(10)]
        for query, first in enumerate(np.repeat(firsts, lengths))
    ]
    np.testing.assert_array_equal(inputs.mask[0], sees)


@pytest.fixture(scope="module")
def hidden_states(tiny_model, tiny_params):
    """Hidden states of one packed row."""

    @functools.partial(jax.jit, static_argnums=2)
    def of(tokens, segments, policy=None):
        decoder = nnx.merge(tiny_model.graphdef, tiny_params)
        return packed_hidden_states(decoder, decoder.embed(tokens[None]), segments[None], policy)[0]

    return of


@pytest.mark.parametrize("policy", [None, jax.checkpoint_policies.nothing_saveable])
def test_packed_texts_have_the_hidden_states_of_each_alone(
    tiny_model, tiny_params, hidden_states, policy
):
    tokens = np.random.default_rng(0).integers(0, 12, 12)
    packed = hidden_states(tokens, SEGMENTS, policy)
    texts = pad_left([tokens[text == SEGMENTS].tolist() for text in (1, 2, 3)], 6, 0)
    alone, _ = jax.jit(tiny_model.hidden_states)(tiny_params, *texts)
    for text, length in enumerate(LENGTHS):
        np.testing.assert_allclose(
            packed[text + 1 == SEGMENTS], alone[text, 6 - length :], atol=2e-5
        )


def test_a_token_sees_its_own_text_up_to_itself_and_nothing_else(hidden_states):
    tokens = np.arange(12) % 5
    before = hidden_states(tokens, SEGMENTS)
    for place in range(12):
        after = hidden_states(np.where(np.arange(12) == place, tokens + 5, tokens), SEGMENTS)
        moved = np.abs(after - before).max(-1) > 1e-6
        sees = (SEGMENTS[place] == SEGMENTS) & (np.arange(12) >= place)
        np.testing.assert_array_equal(moved, sees)
