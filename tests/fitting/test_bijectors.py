"""Bijectors: there and back again, and never past a bound."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxgap.fitting.bijectors import Between, Fixed, GreaterThan, Real

BIJECTORS = [Real(3.0, 0.1), GreaterThan(1.0, 5.0), Between(0.0, 0.999)]


@pytest.mark.parametrize("bijector", BIJECTORS)
@given(coordinate=st.floats(-8.0, 8.0))
def test_there_and_back(bijector, coordinate):
    with jax.enable_x64(True):
        value = bijector.constrain(jnp.asarray(coordinate))
        np.testing.assert_allclose(bijector.unconstrain(value), coordinate, atol=1e-7)


@pytest.mark.parametrize("coordinate", [-1e300, -50.0, 50.0, 1e300])
def test_bounds_hold_everywhere(coordinate):
    with jax.enable_x64(True):
        z = jnp.asarray(coordinate)
        assert 1.0 < GreaterThan(1.0, 5.0).constrain(z) < jnp.inf
        assert 0.0 < Between(0.0, 0.999).constrain(z) < 0.999


def test_a_fixed_value_stays():
    assert Fixed(2.0).constrain(jnp.asarray(5.0)) == 2.0
    assert jax.grad(Fixed(2.0).constrain)(5.0) == 0.0
