"""Profile intervals of a linear model: the estimate, give or take t standard errors."""

import jax
import jax.numpy as jnp
import numpy as np

from jaxgap.fitting import LevenbergMarquardt
from jaxgap.fitting.intervals.profile import Minimised, both_ends, profile_ends

RNG = np.random.default_rng(0)
BASIS = RNG.standard_normal((9, 3))
TARGETS = BASIS @ [1.0, -2.0, 0.5] + 0.1 * RNG.standard_normal(9)
COORDINATES, (COST,), _, _ = np.linalg.lstsq(BASIS, TARGETS, rcond=None)
VARIANCE = COST / 6
STDERRS = np.sqrt(VARIANCE * np.diag(np.linalg.inv(BASIS.T @ BASIS)))
QUANTILE = 1.9


def intervals(bounds):
    with jax.enable_x64(True):
        fits = Minimised(
            jnp.asarray(COORDINATES)[None],
            jnp.array([COST]),
            jnp.array([VARIANCE]),
            jnp.asarray(COORDINATES)[None, None] + 1.0,
            jnp.asarray(TARGETS)[None],
        )
        ends = both_ends(
            jnp.arange(3),
            jnp.asarray(COORDINATES),
            jnp.asarray(bounds),
            2 * jnp.asarray(STDERRS),
            jnp.asarray(1.0),
            jnp.asarray(QUANTILE),
        )
        found = profile_ends(
            lambda z, data, index: z[index],
            lambda z, data: jnp.asarray(BASIS) @ z - data,
            LevenbergMarquardt(),
            fits,
            ends,
        )
    return np.asarray(found).reshape(3, 2)


def test_the_ends_are_t_standard_errors_away():
    exact = COORDINATES[:, None] + QUANTILE * STDERRS[:, None] * [-1.0, 1.0]
    np.testing.assert_allclose(intervals(np.tile([-100.0, 100.0], (3, 1))), exact, rtol=1e-4)


def test_a_bound_that_is_nearer_is_the_end():
    bounds = COORDINATES[:, None] + 0.5 * STDERRS[:, None] * [-1.0, 1.0]
    np.testing.assert_allclose(intervals(bounds), bounds, rtol=1e-12)
