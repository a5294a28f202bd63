"""Profile intervals of many numbers around one fit, such as its curves at many times."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Shaped

from jaxgap.fitting.curves import Curves
from jaxgap.fitting.intervals.profile import Minimised, both_ends, profile_ends
from jaxgap.fitting.laws.law import LIMITS, horizon
from jaxgap.fitting.problem import FitProblem


def bands(
    problem: FitProblem, fit: Minimised, ts: Float[Array, " times"], quantile: Float[Array, ""]
) -> Float[Array, "times 3 3"]:
    """The solver, the verifier and the gap at each of `ts`: estimate, lower and upper end.

    The ends are those of the profile-likelihood interval of the curve itself at that time. `fit` is
    a single fit, without a leading axis.
    """
    curves = fit.data
    # The noise's scale, as the curve is known about as well as one measurement, or better.
    noise = jnp.sqrt(fit.variance) / jnp.max(curves.weights)
    # The curves lie in the same range as their limits.
    far = jnp.stack([horizon(limit, curves) for limit in LIMITS])

    def states(z, curves, t):
        solver, verifier = problem.curve_fn(problem.dynamics(z, curves), t[None])[0]
        return jnp.stack([solver, verifier, solver - verifier])

    estimates = jax.vmap(lambda t: states(fit.coordinates, curves, t))(ts)
    found = ends_of_rows(problem, fit, states, ts, estimates, far, noise, quantile)
    return jnp.concatenate([estimates[..., None], found], axis=-1)


def ends_of_rows(
    problem: FitProblem,
    fit: Minimised,
    numbers: Callable[[Float[Array, " n"], Curves, Any], Float[Array, " k"]],
    rows: Shaped[Array, " rows"],
    estimates: Float[Array, "rows k"],
    bounds: Float[Array, "k 2"],
    stderrs: Float[Array, "..."],
    quantile: Float[Array, ""],
) -> Float[Array, "rows k 2"]:
    """Both ends of the profile interval of each of `numbers(z, curves, row)`, for every row.

    An end on its bound is infinite. `fit` is a single fit, without a leading axis; `stderrs` are
    rough standard errors of the numbers, of the estimates' shape or one for all.
    """
    ends = both_ends(
        (rows[:, None], jnp.arange(estimates.shape[1])),
        estimates,
        bounds,
        stderrs,
        fit.data.value_scale,
        quantile,
    )
    found = profile_ends(
        lambda z, curves, number: numbers(z, curves, number[0])[number[1]],
        problem.residuals,
        problem.minimiser,
        fit.as_batch(),
        ends,
    )
    found = jnp.where(found == ends.bound, ends.direction * jnp.inf, found)
    return found.reshape(*estimates.shape, 2)
