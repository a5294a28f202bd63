"""The smooth ratios and two derivatives of each, in both precisions, against quadrature."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgap.dynamics import PowerPotential
from jaxgap.dynamics.smooth_ratios import expm1_ratio, log1p_ratio

NODES, WEIGHTS = np.polynomial.legendre.leggauss(30)
S, W = (NODES + 1) / 2, WEIGHTS / 2

# The ratios are means over s in [0, 1]: of 1 / (1 + s u), and of exp(s u).
MEANS = {
    log1p_ratio: [
        lambda s, u: 1 / (1 + s * u),
        lambda s, u: -s / (1 + s * u) ** 2,
        lambda s, u: 2 * s**2 / (1 + s * u) ** 3,
    ],
    expm1_ratio: [
        lambda s, u: np.exp(s * u),
        lambda s, u: s * np.exp(s * u),
        lambda s, u: s**2 * np.exp(s * u),
    ],
}


@pytest.mark.parametrize("ratio", MEANS)
@pytest.mark.parametrize(
    ("x64", "tolerances"), [(False, (1e-6, 2e-5, 1e-3)), (True, (1e-14, 1e-11, 2e-8))]
)
def test_values_and_derivatives_about_zero(ratio, x64, tolerances):
    us = np.array([0.0, 3e-4, 1.1e-3, 5e-3, 0.03, 0.09, 0.11, 0.5, 2.0])
    us = np.concatenate([-us[us < 1], us])
    with jax.enable_x64(x64):
        orders = ratio, jax.grad(ratio), jax.grad(jax.grad(ratio))
        found = [jax.vmap(order)(jnp.asarray(us, float)) for order in orders]
    for order, mean, tolerance in zip(found, MEANS[ratio], tolerances, strict=True):
        expected = [W @ mean(S, u) for u in us]
        np.testing.assert_allclose(order, expected, rtol=tolerance)


@pytest.mark.parametrize("u", [1e3, 1e6, 1e8, 1e15, 1e30])
@pytest.mark.parametrize("x64", [False, True])
def test_slopes_of_the_logarithm_far_from_zero(u, x64):
    """There the series near zero overflows in 32 bits, and must not be looked at."""
    with jax.enable_x64(x64):
        u = float(jnp.asarray(u, float))
        value, slope = jax.value_and_grad(log1p_ratio)(u)
    x = np.longdouble(u)
    expected = 1 / (x * (1 + x)) - np.log1p(x) / x**2
    tolerance = 1e-14 if x64 else 1e-6
    np.testing.assert_allclose(value, np.log1p(x) / x, rtol=tolerance)
    # Below the smallest normal number, 32 bits have zero.
    np.testing.assert_allclose(slope, expected, rtol=tolerance, atol=0 if x64 else 1e-37)


@pytest.mark.parametrize("u", [-1e15, -1e8, -1e3, 1e3, 1e8])
def test_slopes_of_the_exponential_far_from_zero(u):
    """Zero far below zero, infinite far above it; NaN nowhere that the value is finite."""
    with jax.enable_x64(False):
        value, slope = jax.value_and_grad(expm1_ratio)(jnp.float32(u))
    if u < 0:
        np.testing.assert_allclose([value, slope], [-1 / u, 1 / u**2], rtol=1e-6)
    else:
        assert value == np.inf


def test_a_power_law_has_slopes_at_any_time_in_32_bits():
    def gap(rate, t):
        return PowerPotential(rate, 0.1, 2.0).gap_at(t, 1.8)

    with jax.enable_x64(False):
        for t in (1e6, 1e8, 1e12):
            # 0.1 + 1.7 / (1 + k t), whose slope by k is -1.7 t / (1 + k t)^2.
            slope = jax.grad(gap)(jnp.float32(1.0), jnp.float32(t))
            np.testing.assert_allclose(slope, -1.7 * t / (1 + t) ** 2, rtol=1e-4)
