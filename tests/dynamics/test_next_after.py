"""What TPUs are given for the float next to another: beyond it, and barely."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgap.dynamics.next_after import next_after, register


@pytest.mark.parametrize("x", [-1e6, -1.0, -1e-20, 0.0, 1e-20, 0.3, 7.0, 1e6])
def test_it_is_beyond_and_barely(x):
    with jax.enable_x64(True):
        up, down = (float(next_after(jnp.array(x), jnp.array(end))) for end in (np.inf, -np.inf))
        same = float(next_after(jnp.array(x), jnp.array(x)))
    assert down < x < up
    assert max(up - x, x - down) <= max(abs(x) * 2.0**-45, 2.0**-99)
    assert same == x


def test_an_infinity_counts_as_a_large_number_and_nan_stays():
    with jax.enable_x64(True):
        below = float(next_after(jnp.array(np.inf), jnp.array(-np.inf)))
        above = float(next_after(jnp.array(-np.inf), jnp.array(0.0)))
        same = float(next_after(jnp.array(np.inf), jnp.array(np.inf)))
        unknown = [next_after(*map(jnp.array, pair)) for pair in ((np.nan, 1.0), (1.0, np.nan))]
    assert below == -above
    assert 1e38 < below < np.inf
    assert same == np.inf
    assert np.isnan(unknown).all()


def test_elsewhere_jax_computes_its_own():
    register()
    with jax.enable_x64(True):
        assert float(jnp.nextafter(1.0, 2.0)) == np.nextafter(1.0, 2.0)
