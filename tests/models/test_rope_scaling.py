"""Scaled frequencies against their definitions, a pair at a time."""

import math

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxgap.models.rope_scaling import (
    LinearScaling,
    Llama3Scaling,
    LongRope,
    NoScaling,
    longrope_attention_factor,
)

FREQUENCIES = 10.0 ** -np.linspace(0.0, 5.0, 16)


@given(st.floats(1.5, 16), st.floats(0.5, 2), st.floats(0.5, 6), st.integers(64, 8192))
def test_llama_keeps_short_wavelengths_and_stretches_long_ones(factor, low, width, original):
    scaling = Llama3Scaling(factor, low, low + width, original)
    (found,) = np.asarray(scaling.scale(jnp.asarray(FREQUENCIES, jnp.float32), jnp.array([1])))
    for frequency, ours in zip(FREQUENCIES, found, strict=True):
        wavelength = 2 * math.pi / frequency
        if wavelength < original / (low + width):
            expected = frequency
        elif wavelength > original / low:
            expected = frequency / factor
        else:
            smooth = (original / wavelength - low) / width
            expected = (1 - smooth) * frequency / factor + smooth * frequency
        assert ours == pytest.approx(expected, rel=1e-4)


def test_plain_and_linear_scalings():
    (plain,), (linear,) = (
        scaling.scale(FREQUENCIES, jnp.array([3, 4])) for scaling in (NoScaling(), LinearScaling(3))
    )
    np.testing.assert_allclose(plain, FREQUENCIES)
    np.testing.assert_allclose(3 * linear, FREQUENCIES)


def test_each_row_is_short_or_long_by_its_own_length():
    short, long = (2.0,) * 16, tuple(range(1, 17))
    scaling = LongRope(short, long, 100, 1.2)
    found = scaling.scale(jnp.asarray(FREQUENCIES), jnp.array([100, 101]))
    np.testing.assert_allclose(found, [FREQUENCIES / short, FREQUENCIES / long], rtol=1e-6)
    assert (scaling.window, scaling.attention_factor) == (100, 1.2)


@given(st.floats(1.01, 100), st.integers(2, 10**6))
def test_the_attention_factor_of_a_stretched_window(stretch, original):
    square = longrope_attention_factor(stretch, original) ** 2
    assert original ** (square - 1) == pytest.approx(stretch, rel=1e-9)
    assert longrope_attention_factor(1 / stretch, original) == 1.0


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: LinearScaling(0.0), "factor must be positive, got 0.0"),
        (lambda: Llama3Scaling(8.0, 4.0, 4.0, 64), "high_freq_factor must exceed .*=4.0, got 4.0"),
        (lambda: LongRope((1.0,), (0.0,), 64, 1.0), "long_factors must be positive"),
        (lambda: LongRope((1.0,), (1.0, 2.0), 64, 1.0), "as many as short_factors=1, got 2"),
        (lambda: LongRope((1.0,), (1.0,), 64, math.nan), "magnitude must be positive, got nan"),
    ],
)
def test_scalings_that_cannot_be_are_refused(build, message):
    with pytest.raises(ValueError, match=message):
        build()
