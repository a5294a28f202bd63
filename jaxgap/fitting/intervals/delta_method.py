"""Standard errors from the curvature at a fit."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import jax.scipy.linalg as jsl
from jaxtyping import Array, Float

from jaxgap.fitting.intervals.profile import Minimised
from jaxgap.fitting.intervals.unit_columns import unit_columns
from jaxgap.fitting.problem import FitProblem


def numbers_with_errors(
    problem: FitProblem,
    fit: Minimised,
    numbers: Callable[[Float[Array, " n"]], Float[Array, " k"]],
) -> tuple[Float[Array, " k"], Float[Array, " k"]]:
    """Numbers at one fit, and their standard errors from the curvature there."""

    def twice(z):
        found = numbers(z)
        return found, found

    slopes, found = jax.jacfwd(twice, has_aux=True)(fit.coordinates)
    return found, standard_errors(problem, fit, slopes)


def standard_errors(
    problem: FitProblem, fit: Minimised, slopes: Float[Array, "k n"]
) -> Float[Array, " k"]:
    """Standard errors, by the delta method, of numbers with these slopes at the fit."""
    jacobian = jax.jacfwd(problem.residuals)(fit.coordinates, fit.data)
    columns, norms = unit_columns(jacobian)
    scaled = columns.T @ columns
    # A coordinate without effect has a zero row: its unit pivot keeps it out of the inverse.
    scaled = scaled + jnp.diag(jnp.where(jnp.diagonal(scaled) > 0, 0.0, 1.0))
    spread = jsl.cho_solve(jsl.cho_factor(scaled), (slopes / norms).T)
    return jnp.sqrt(fit.variance * jnp.maximum(jnp.sum(spread * (slopes / norms).T, axis=0), 0.0))
