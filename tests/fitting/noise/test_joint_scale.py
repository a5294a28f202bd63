"""Noise whose scales are coordinates of the fit."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgap.fitting import ScalePerSeries
from jaxgap.fitting.noise import JointScale, weighted_curves
from jaxgap.trajectory import Trajectory

TS = np.arange(16.0)
RUN = Trajectory(TS, 1 + np.exp(-TS), np.exp(-TS))


@pytest.mark.parametrize(
    ("noise", "scales"),
    [(ScalePerSeries(), np.array([0.1, 0.3])), (JointScale(), np.array([0.2]))],
    ids=["per series", "one"],
)
def test_draws_spread_as_the_scales_and_the_variance_say(noise, scales):
    """Scales are in units of the range of the data, the larger one of the two series'."""
    curves = weighted_curves(RUN, 16, noise).curves

    @jax.jit
    @jax.vmap
    def draw(key):
        return noise.draw(key, jnp.zeros((16, 2)), curves, jnp.log(scales), 1.5)

    drawn = np.asarray(draw(jax.random.split(jax.random.key(0), 400)))
    expected = np.broadcast_to(1.5**0.5 * np.ptp(RUN.solver) * scales, 2)
    np.testing.assert_allclose(drawn.std((0, 1)), expected, rtol=0.05)
