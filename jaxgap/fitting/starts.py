"""The best of several starts."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from jaxgap.fitting.curves import Curves
from jaxgap.fitting.least_squares.minimiser import minimise
from jaxgap.fitting.problem import FitProblem


class BestOfStarts(NamedTuple):
    """The best minimum reached from several starts, for each curve of a batch."""

    coordinates: Float[Array, "batch n"]
    cost: Float[Array, " batch"]
    converged: Bool[Array, " batch"]
    start_costs: Float[Array, "batch starts"]


def best_of_starts(
    problem: FitProblem,
    curves: Curves,
    starts: Float[Array, "batch starts n"],
    num_curves: Int[Array, ""],
) -> BestOfStarts:
    """Minimise from every start of the first `num_curves` curves, and keep the best minimum."""
    num_starts = starts.shape[1]
    minima = minimise(
        problem.minimiser,
        problem.residuals,
        starts.reshape(-1, starts.shape[-1]),
        lambda index: jax.tree.map(lambda leaf: leaf[index // num_starts], curves),
        num_curves * num_starts,
    )
    minima = jax.tree.map(lambda leaf: leaf.reshape(starts.shape[:2] + leaf.shape[1:]), minima)
    costs = jnp.where(jnp.isfinite(minima.cost), minima.cost, jnp.inf)
    at = jnp.arange(len(costs)), jnp.argmin(costs, axis=1)
    return BestOfStarts(minima.coordinates[at], costs[at], minima.converged[at], costs)
