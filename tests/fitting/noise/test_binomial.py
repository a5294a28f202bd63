"""The roots of the deviance of counts, near the data and far off, against exact arithmetic."""

from decimal import Decimal, getcontext

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgap.fitting.curves import curves_of
from jaxgap.fitting.noise.binomial import Binomial
from jaxgap.trajectory import Trajectory

NUM_ITEMS = 500
SHARES = np.array([0.002, 0.3, 0.5, 0.998])


def exact_root(share: float, predicted: float) -> float:
    """The signed root of twice the deviance, with digits enough for what cancels."""
    getcontext().prec = 60
    s, p = Decimal(share), Decimal(predicted)
    deviance = 2 * NUM_ITEMS * (s * (s / p).ln() + (1 - s) * ((1 - s) / (1 - p)).ln())
    return float(deviance.sqrt().copy_sign(p - s))


@pytest.mark.parametrize("distance", [3e-8, 1.1e-7, 3e-7, 1e-6, 1e-4, 0.1, 0.4, -2e-7, -0.3])
def test_residuals_are_the_roots_of_the_deviance(distance):
    # In parts of p (1 - p), as is the neighbourhood of the data where the root is a straight line.
    predicted = SHARES + distance * SHARES * (1 - SHARES)
    trajectory = Trajectory(np.arange(4.0), SHARES, kind="accuracy", num_items=NUM_ITEMS)
    noise = Binomial()
    with jax.enable_x64(True):
        curves = curves_of(trajectory, 4, noise.standard_errors(trajectory)[0])
        # Error rates, as the equations have them.
        shares = np.asarray(curves.ys)[:, 0]
        predicted = 1 - predicted
        both = jnp.stack([jnp.asarray(predicted), jnp.zeros(4)], axis=1)
        found = noise.residuals(both, jax.tree.map(jnp.asarray, curves), jnp.zeros(0))
    roots = np.asarray(found).reshape(2, 4, 2)[0, :, 0]
    expected = [exact_root(s, p) for s, p in zip(shares, predicted, strict=True)]
    np.testing.assert_allclose(roots, expected, rtol=1e-6)
