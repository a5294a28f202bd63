"""Weighted regression against NumPy's least squares, and without weights."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgap.fitting.laws.regression import regress


@pytest.mark.parametrize("num_functions", [1, 2, 4])
def test_the_coefficients_are_numpys(num_functions):
    rng = np.random.default_rng(num_functions)
    basis, y = rng.standard_normal((12, num_functions)), rng.standard_normal(12)
    weights = rng.uniform(0.5, 2.0, 12) * (np.arange(12) < 9)  # the last rows are padding
    theirs = np.linalg.lstsq(basis * weights[:, None], y * weights, rcond=None)[0]
    with jax.enable_x64(True):
        found = regress(jnp.asarray(basis), jnp.asarray(y), jnp.asarray(weights))
    np.testing.assert_allclose(found, theirs, rtol=1e-6, atol=1e-9)


def test_without_weights_the_coefficients_are_zero():
    found = regress(jnp.ones((3, 2)), jnp.ones(3), jnp.zeros(3))
    np.testing.assert_array_equal(found, np.zeros(2))


def test_parallel_functions_share_their_amplitude():
    with jax.enable_x64(True):
        found = regress(jnp.ones((4, 2)), jnp.full(4, 6.0), jnp.ones(4))
    np.testing.assert_allclose(found, [3.0, 3.0], rtol=1e-3)
