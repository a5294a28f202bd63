"""Where the searches for the ends of intervals set out from."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxgap.fitting.curves import Curves
from jaxgap.fitting.intervals.profile import Minimised
from jaxgap.fitting.problem import FitProblem
from jaxgap.fitting.raw_fit import RawFit

# A coordinate that raises the squares by no more than this part of the variance has no effect.
_NO_RISE = 1e-9


def minimised(problem: FitProblem, curves: Curves, raw: RawFit) -> Minimised:
    """The fit of one curve as what a profile starts from."""
    return Minimised(raw.coordinates, raw.cost, raw.variance, problem.starts(curves), curves)


def one_fit(problem: FitProblem, fit: Minimised) -> Minimised:
    """One fit as a batch from which a profile can set out."""
    inside = fit._replace(coordinates=search_start(problem, jax.tree.map(jnp.asarray, fit)))
    return jax.tree.map(lambda leaf: jnp.asarray(leaf)[None], inside)


def search_start(problem: FitProblem, fit: Minimised) -> Float[Array, " n"]:
    """Where the searches around one fit set out: off the bounds, if that is still a fair fit.

    A parameter on its bound may be half of a product that the data determine. If no coordinate is
    that product, moving it leaves all data behind, further than the worst of the starts, and no
    refit finds the way back: each ends in a worse minimum, and the interval would close on the fit
    itself.
    """

    def cost(z):
        return jnp.sum(problem.residuals(z, fit.data) ** 2)

    # Where nothing changes, any rate fits. One that is slow can bring a limit from anywhere, but no
    # refit finds it from one that is so fast that the data cannot tell.
    low = problem.low_side(fit.coordinates, fit.data)
    one_low = jnp.where(jnp.eye(len(low), dtype=bool), low, fit.coordinates)
    rise = jnp.abs(jax.vmap(cost)(one_low) - cost(fit.coordinates))
    free = jnp.where(rise <= _NO_RISE * fit.variance, low, fit.coordinates)

    moved = problem.off_bounds(free, fit.data)
    is_fair = cost(moved) <= jnp.nanmax(jax.vmap(cost)(fit.starts))
    return jnp.where(is_fair, moved, fit.coordinates)
