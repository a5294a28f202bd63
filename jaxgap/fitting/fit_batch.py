"""The numerical core of a fit: one pure function of arrays for a batch of curves.

From several starts it minimises the weighted sum of squares over both curves, takes the best
minimum, and computes how well the data determine every parameter and limit. The solves from all
starts of all curves share a queue, as do the searches for all interval ends, so no curve waits for
another. All of it is one compiled program.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from jaxgap.fitting.curves import Curves
from jaxgap.fitting.intervals.delta_method import numbers_with_errors
from jaxgap.fitting.intervals.profile import Minimised
from jaxgap.fitting.intervals.profile_intervals import profile_intervals
from jaxgap.fitting.intervals.search_start import search_start
from jaxgap.fitting.noise.abstract_noise import NOISE_FLOOR
from jaxgap.fitting.problem import FitProblem
from jaxgap.fitting.raw_fit import RawFit
from jaxgap.fitting.starts import best_of_starts

# Starts whose final cost is within this relative margin of the best count as the same minimum.
_AGREEMENT = 1e-6


def fit_batch(
    problem: FitProblem,
    curves: Curves,
    num_free: Int[Array, ""],
    quantiles: Float[Array, " batch"],
    num_curves: Int[Array, ""],
) -> RawFit:
    """Fit the first `num_curves` of a batch that :func:`jaxgap.fitting.fit` has prepared.

    `num_free` is the number of free coordinates, `quantiles` those of the distribution of zeta.
    Rows past `num_curves` of the result are meaningless.
    """
    starts = jax.vmap(problem.starts)(curves)
    best = best_of_starts(problem, curves, starts, num_curves)
    coordinates, cost = best.coordinates, best.cost
    variance = jax.vmap(problem.noise.variance, in_axes=(0, 0, None))(
        cost, curves.num_measurements, num_free
    )
    fits = Minimised(coordinates, cost, variance, starts, curves)
    inside = fits._replace(coordinates=jax.vmap(lambda fit: search_start(problem, fit))(fits))
    indices = np.array(problem.visible(curves.has_verifier))
    numbers, stderrs = jax.vmap(lambda fit: numbers_with_errors(problem, fit, indices))(fits)
    # The curvature at the point where the searches start sets the size of their first step.
    _, nearby = jax.vmap(lambda fit: numbers_with_errors(problem, fit, indices))(inside)
    intervals = profile_intervals(problem, inside, indices, numbers, nearby, quantiles, num_curves)
    # Filtered: a user's potential may hold leaves that are not arrays, such as an activation.
    dynamics = eqx.filter_vmap(problem.dynamics)(coordinates, curves)
    fitted = eqx.filter_vmap(problem.curve_fn)(dynamics, curves.ts)
    agree = best.start_costs <= cost[:, None] * (1 + _AGREEMENT) + NOISE_FLOOR**2
    return RawFit(
        coordinates=coordinates,
        dynamics=dynamics,
        cost=cost,
        variance=variance,
        converged=best.converged,
        start_costs=best.start_costs,
        num_agreeing=jnp.sum(agree, axis=1),
        fitted=fitted,
        log_likelihoods=jax.vmap(problem.noise.log_likelihoods)(
            fitted, curves, jax.vmap(problem.scales)(coordinates, curves), cost
        ),
        numbers=numbers,
        stderrs=stderrs,
        intervals=intervals,
    )
