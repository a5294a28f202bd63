"""A digest sees every flipped bit, and nothing else."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxgap.improve.digests import digests

DTYPES = ("float32", "bfloat16", "float16", "int32", "uint8", "int8")


@settings(deadline=None, max_examples=60)
@given(
    dtype=st.sampled_from(DTYPES),
    size=st.sampled_from((1, 7, 64)),
    data=st.data(),
)
def test_any_flipped_bit_is_seen(dtype, size, data):
    values = np.arange(size).astype(jnp.dtype(dtype))
    raw = bytearray(values.tobytes())
    bit = data.draw(st.integers(0, 8 * len(raw) - 1))
    raw[bit // 8] ^= 1 << bit % 8
    flipped = np.frombuffer(bytes(raw), values.dtype)
    assert digests([values]) != digests([flipped])
    assert digests([values]) == digests([values.copy()])


def test_leaves_are_named_and_keys_and_flags_are_leaves_too():
    found = digests({"key": jax.random.key(0), "mask": jnp.array([True, False])})
    assert list(found) == ["['key']", "['mask']"]
    other = digests({"key": jax.random.key(1), "mask": jnp.array([False, True])})
    assert not set(found.items()) & set(other.items())


@pytest.mark.parametrize("shape", [(6, 4), (4, 6), (24,)])
def test_the_order_of_the_elements_counts_and_not_their_shape(shape):
    values = jnp.arange(24.0)
    assert digests([values.reshape(shape)]) == digests([values])
    assert digests([values[::-1].reshape(shape)]) != digests([values])
