"""The smooth ratios and two derivatives of each, in both precisions, against quadrature."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

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
