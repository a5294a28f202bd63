"""Positions and masks of new tokens, slot by slot."""

import dataclasses
import functools

import jax
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxgap.models.attention_inputs import attention_inputs

NUM_SLOTS, START, NUM_NEW = 9, 4, 3


@functools.partial(jax.jit, static_argnums=0)
def inputs_of(config, valid):
    return attention_inputs(config, valid[:, START : START + NUM_NEW], valid, START)


@pytest.mark.parametrize("window", [None, 1, 3])
@given(st.lists(st.booleans(), min_size=14, max_size=14))
def test_a_token_sees_real_tokens_up_to_itself_within_the_window(tiny_model, window, real):
    config = dataclasses.replace(tiny_model.config, sliding_window=window)
    valid = np.zeros((2, NUM_SLOTS), bool)
    valid[:, : START + NUM_NEW] = np.reshape(real, (2, 7))
    inputs = inputs_of(config, valid)
    for row in range(2):
        for new in range(NUM_NEW):
            slot = START + new
            if not valid[row, slot]:
                continue  # what padding sees is ignored
            position = valid[row, :slot].sum()
            angles = position * config.rope_theta ** (-np.arange(0, 8, 2) / 8)
            np.testing.assert_allclose(inputs.cosines[row, new, 0], np.cos(angles), atol=1e-5)
            sees = [
                bool(valid[row, other])
                and other <= slot
                and valid[row, other + 1 : slot + 1].sum() < (window or NUM_SLOTS)
                for other in range(NUM_SLOTS)
            ]
            assert inputs.mask[row, new].tolist() == sees
