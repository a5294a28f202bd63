"""A digest sees every flipped bit, and nothing else."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxgap.improve.runs.digests import digests

DTYPES = ("float32", "bfloat16", "float16", "int32", "uint8", "int8")


@settings(deadline=None, max_examples=60)
@given(
    dtype=st.sampled_from(DTYPES),
    shape=st.sampled_from(((1,), (7,), (64,), (8, 8), (2, 4, 3), ())),
    data=st.data(),
)
def test_any_flipped_bit_is_seen(dtype, shape, data):
    values = np.arange(math.prod(shape)).astype(jnp.dtype(dtype)).reshape(shape)
    raw = bytearray(values.tobytes())
    bit = data.draw(st.integers(0, 8 * len(raw) - 1))
    raw[bit // 8] ^= 1 << bit % 8
    flipped = np.frombuffer(bytes(raw), values.dtype).reshape(shape)
    assert digests([values]) != digests([flipped])
    assert digests([values]) == digests([values.copy()])


def test_leaves_are_named_and_keys_and_flags_are_leaves_too():
    found = digests({"key": jax.random.key(0), "mask": jnp.array([True, False])})
    assert list(found) == ["['key']", "['mask']"]
    other = digests({"key": jax.random.key(1), "mask": jnp.array([False, True])})
    assert not set(found.items()) & set(other.items())


@pytest.mark.parametrize("shape", [(24,), (6, 4), (2, 3, 4)])
def test_the_order_of_the_elements_counts(shape):
    values = jnp.arange(24.0).reshape(shape)
    for axis in range(len(shape)):
        assert digests([jnp.flip(values, axis)]) != digests([values])
        assert digests([jnp.roll(values, 1, axis)]) != digests([values])


def test_a_transposed_array_is_another():
    values = jnp.arange(36.0).reshape(6, 6)
    assert digests([values.T]) != digests([values])
