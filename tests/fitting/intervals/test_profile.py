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


def test_an_end_is_found_though_the_first_refit_comes_out_on_the_wrong_side():
    # The search starts half a standard error above the fit, with a spring far too soft to cross
    # that on a profile as steep as this.
    steepness = 1e6
    with jax.enable_x64(True):
        fits = Minimised(
            coordinates=jnp.zeros((1, 1)),
            search_start=jnp.zeros((1, 1)),
            cost=jnp.zeros(1),
            variance=jnp.ones(1),
            starts=jnp.zeros((1, 1, 1)),
            data=jnp.zeros(1),
        )
        ends = both_ends(
            jnp.arange(1),
            jnp.array([0.5 / steepness]),
            jnp.array([[-1.0, 1.0]]),
            jnp.array([jnp.inf]),
            jnp.asarray(0.2),
            jnp.asarray(QUANTILE),
        )
        minimiser = LevenbergMarquardt()
        found = profile_ends(lambda z, *_: z[0], lambda z, _: steepness * z, minimiser, fits, ends)
    np.testing.assert_allclose(np.asarray(found) * steepness, [-QUANTILE, QUANTILE], rtol=1e-4)
