"""Bijectors: there and back again, and never past a bound."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxgap.fitting.laws.bijectors import Between, Fixed, GreaterThan, Real

BIJECTORS = [Real(3.0, 0.1), GreaterThan(1.0, 5.0), Between(0.0, 0.999), Between(0.0, 0.999, -9.0)]


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
        for offset in (-20.0, 20.0):
            assert 0.0 < Between(0.0, 0.999, offset).constrain(z) < 0.999


@pytest.mark.parametrize(("lower", "upper", "centre"), [(0, 1e6, 1e-6), (-1e6, 2, 1.9), (0, 2, 1)])
def test_around_a_centre_a_step_is_as_long_as_to_the_nearer_bound(lower, upper, centre):
    with jax.enable_x64(True):
        bijector = Between.around(lower, upper, jnp.asarray(centre, float))
        zero = jnp.asarray(0.0)
        np.testing.assert_allclose(bijector.constrain(zero), centre, rtol=1e-6)
        nearer = min(centre - lower, upper - centre)
        assert 0.4 * nearer < jax.grad(bijector.constrain)(zero) < 1.1 * nearer
        # All that is on either side can be reached as from the middle.
        ends = np.array([bijector.constrain(jnp.asarray(z)) for z in (-60.0, 60.0)])
        np.testing.assert_allclose(ends, [lower, upper], atol=1e-5 * (upper - lower))


@pytest.mark.parametrize("bijector", [*BIJECTORS, Between(0.0, 0.999, 9.0), Fixed(1.0)])
def test_only_what_lies_at_a_bound_is_moved_off_it(bijector):
    with jax.enable_x64(True):
        coordinates = jnp.linspace(-40.0, 40.0, 161)
        values, slopes = jax.vmap(jax.value_and_grad(bijector.constrain))(coordinates)
        moved = bijector.off_bounds(coordinates, 8.0, 4.0)
        if isinstance(bijector, Real | Fixed):
            np.testing.assert_array_equal(moved, coordinates)
            return
        assert (np.abs(jax.vmap(jax.grad(bijector.constrain))(moved)) > 0).all()
        kept = moved == coordinates
        assert not kept[slopes == 0].any()
        if isinstance(bijector, Between):
            # In the middle between bounds, wherever its coordinate is, nothing is.
            assert kept[(values > 0.01) & (values < 0.98)].all()


def test_a_fixed_value_stays():
    assert Fixed(2.0).constrain(jnp.asarray(5.0)) == 2.0
    assert jax.grad(Fixed(2.0).constrain)(5.0) == 0.0
