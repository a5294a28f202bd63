"""Where the searches for interval ends start."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxgap.fitting.curves import Curves
from jaxgap.fitting.intervals.profile import Minimised
from jaxgap.fitting.problem import FitProblem
from jaxgap.fitting.raw_fit import RawFit

# A coordinate that raises the squares by at most this fraction of the variance has no effect.
_NO_RISE = 1e-9


def minimised(curves: Curves, raw: RawFit) -> Minimised:
    """The fit of one curve, or of many, as the input of a profile."""
    return Minimised(raw.coordinates, raw.search_start, raw.cost, raw.variance, raw.starts, curves)


def search_start(
    problem: FitProblem,
    curves: Curves,
    coordinates: Float[Array, " n"],
    variance: Float[Array, ""],
    starts: Float[Array, "starts n"],
) -> Float[Array, " n"]:
    """Where the searches around one fit start: off the bounds, if that is still a fair fit.

    A parameter on its bound may be a factor of a product that the data determine. If no coordinate
    is that product, moving the parameter ruins the fit, beyond the worst of the starts, and no
    refit recovers: each ends in a worse minimum, and the interval would collapse onto the fit.
    """

    def cost(z):
        return jnp.sum(problem.residuals(z, curves) ** 2)

    # If the curves are constant, any rate fits. With a slow one the limit may be anywhere, but no
    # refit finds that from a rate too fast for the data to show.
    low = problem.low_side(coordinates, curves)
    one_low = jnp.where(jnp.eye(len(low), dtype=bool), low, coordinates)
    rise = jnp.abs(jax.vmap(cost)(one_low) - cost(coordinates))
    free = jnp.where(rise <= _NO_RISE * variance, low, coordinates)

    moved = problem.off_bounds(free, curves)
    is_fair = cost(moved) <= jnp.nanmax(jax.vmap(cost)(starts))
    return jnp.where(is_fair, moved, coordinates)
