"""The profile intervals of the numbers of a batch of fits.

One compiled program serves the parameters and limits of a fit and, later, how long its run has left
for any distance from the limit: compiling takes seconds, and searching milliseconds.
"""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from jaxgap.fitting.curves import Curves
from jaxgap.fitting.intervals.delta_method import numbers_with_errors
from jaxgap.fitting.intervals.profile import Minimised, both_ends, profile_ends
from jaxgap.fitting.intervals.time_to_limit import (
    EARLIEST,
    FARTHEST,
    has_time_left,
    signed_time_left,
)
from jaxgap.fitting.laws.law import horizon, typical_size
from jaxgap.fitting.problem import FitProblem
from jaxgap.fitting.raw_fit import RawNumbers

# For a positive number, an end below this fraction of the typical size counts as zero.
_NEAR_ZERO = 1e-4


class Wanted(NamedTuple):
    """What to search for around each fit of a batch.

    - `numbers`: the indices of the numbers: those of the problem's `reported`, then the time left.
    - `epsilon`: how near the solver has to come to its limit for no time to be left.
    - `quantile`: of the distribution of zeta.
    """

    numbers: Int[Array, "batch k"]
    epsilon: Float[Array, " batch"]
    quantile: Float[Array, " batch"]


class _Number(NamedTuple):
    """Which number an end is of."""

    index: Int[Array, ""]
    epsilon: Float[Array, ""]


def profile_intervals(
    problem: FitProblem, fits: Minimised, wanted: Wanted, num_ends: Int[Array, ""]
) -> RawNumbers:
    """The wanted numbers with their standard errors, and the first `num_ends` ends of intervals.

    The ends are in order of fits, then of numbers, the lower end first; the others are meaningless.
    The searches for all ends share a queue, so that none waits for another.
    """
    with_errors = jax.vmap(partial(_with_errors, problem))
    both = jnp.stack([fits.coordinates, fits.search_start])
    (estimates, _), (stderrs, nearby) = jax.vmap(
        lambda at: with_errors(fits._replace(coordinates=at), wanted)
    )(both)
    natural, typical, far = jax.vmap(partial(_ranges, problem))(fits, wanted)
    bounds = jnp.clip(natural, far[..., :1], far[..., 1:])
    held = jnp.isin(wanted.numbers, jnp.array(problem.held, int))[..., None]
    bounds = jnp.where(held, estimates[..., None], bounds)
    above_zero = natural[..., 0] == 0
    near_zero = _NEAR_ZERO * typical

    # The curvature at the point where the searches start sets the size of their first step.
    ends = both_ends(
        _Number(wanted.numbers, wanted.epsilon[:, None]),
        estimates,
        bounds,
        nearby,
        jnp.maximum(typical, jnp.where(above_zero, jnp.abs(estimates), 0.0)),
        wanted.quantile[:, None],
        fit=jnp.arange(len(estimates))[:, None],
    )
    found = profile_ends(
        lambda z, curves, number: _numbers(problem, z, curves, number.epsilon)[number.index],
        problem.residuals,
        problem.minimiser,
        fits,
        ends,
        num_ends,
    ).reshape(bounds.shape)
    # A product of two coordinates approaches its bound at zero, but never reaches it.
    at_zero = above_zero & (found[..., 0] < near_zero)
    found = found.at[..., 0].set(jnp.where(at_zero, bounds[..., 0], found[..., 0]))
    return RawNumbers(estimates, stderrs, jnp.where((found == bounds) & ~held, natural, found))


def _numbers(
    problem: FitProblem, z: Float[Array, " n"], curves: Curves, epsilon: Float[Array, ""]
) -> Float[Array, " numbers"]:
    """The reported numbers, then the time left if the law has one."""
    dynamics = problem.dynamics(z, curves)
    numbers = problem.numbers_of(dynamics)
    if not has_time_left(dynamics):
        return numbers
    return jnp.append(numbers, signed_time_left(dynamics, epsilon, curves))


def _with_errors(
    problem: FitProblem, fit: Minimised, wanted: Wanted
) -> tuple[Float[Array, " k"], Float[Array, " k"]]:
    """The wanted numbers of one fit, and their standard errors from the curvature."""

    def numbers(z: Float[Array, " n"]) -> Float[Array, " k"]:
        return _numbers(problem, z, fit.data, wanted.epsilon)[wanted.numbers]

    return numbers_with_errors(problem, fit, numbers)


def _ranges(
    problem: FitProblem, fit: Minimised, wanted: Wanted
) -> tuple[Float[Array, "k 2"], Float[Array, " k"], Float[Array, "k 2"]]:
    """The natural bounds of the wanted numbers, their typical sizes, and their horizons."""
    curves, reported = fit.data, problem.reported
    duration = jnp.asarray(curves.duration)
    of_time = jnp.array([EARLIEST, FARTHEST]) * duration
    natural = [jnp.array([p.lower, p.upper]) for p in reported]
    typical = [jnp.asarray(typical_size(p, curves), float) for p in reported]
    far = [horizon(p, curves) for p in reported]
    return (
        jnp.stack([*natural, of_time])[wanted.numbers],
        jnp.stack([*typical, duration])[wanted.numbers],
        jnp.stack([*far, of_time])[wanted.numbers],
    )
