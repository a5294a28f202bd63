"""The numerical core of a fit: one pure function of arrays for a batch of curves.

From several starts it minimises the weighted sum of squares over both curves, and takes the best
minimum. The solves from all starts of all curves share a queue, so no curve waits for another. How
well the data determine every parameter and limit is another compiled program's question
(:mod:`jaxgap.fitting.intervals.profile_intervals`).
"""

from functools import partial

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Int

from jaxgap.fitting.curves import Curves
from jaxgap.fitting.intervals.search_start import search_start
from jaxgap.fitting.noise.abstract_noise import NOISE_FLOOR
from jaxgap.fitting.problem import FitProblem
from jaxgap.fitting.raw_fit import RawFit
from jaxgap.fitting.starts import best_of_starts

# Starts whose final cost is within this relative margin of the best count as the same minimum.
_AGREEMENT = 1e-6


def fit_batch(
    problem: FitProblem, curves: Curves, num_free: Int[Array, " batch"], num_curves: Int[Array, ""]
) -> RawFit:
    """Fit the first `num_curves` of a batch that :func:`jaxgap.fitting.fit` has prepared.

    `num_free` is the number of free coordinates, for each curve. Rows past `num_curves` of the
    result are meaningless.
    """
    starts = jax.vmap(problem.starts)(curves)
    best = best_of_starts(problem, curves, starts, num_curves)
    coordinates, cost = best.coordinates, best.cost
    variance = jax.vmap(problem.noise.variance)(cost, curves.num_measurements, num_free)
    inside = jax.vmap(partial(search_start, problem))(curves, coordinates, variance, starts)
    # Filtered: a user's potential may hold leaves that are not arrays, such as an activation.
    dynamics = eqx.filter_vmap(problem.dynamics)(coordinates, curves)
    fitted = eqx.filter_vmap(problem.curve_fn)(dynamics, curves.ts)
    agree = best.start_costs <= cost[:, None] * (1 + _AGREEMENT) + NOISE_FLOOR**2
    return RawFit(
        coordinates=coordinates,
        dynamics=dynamics,
        search_start=inside,
        starts=starts,
        start_costs=best.start_costs,
        cost=cost,
        variance=variance,
        converged=best.converged,
        num_agreeing=jnp.sum(agree, axis=1),
        fitted=fitted,
        log_likelihoods=jax.vmap(problem.noise.log_likelihoods)(
            fitted, curves, jax.vmap(problem.scales)(coordinates, curves), cost
        ),
    )
