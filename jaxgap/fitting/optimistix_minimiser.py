"""Optimistix's least-squares solvers in the place of the built-in one."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
import optimistix as optx
from jaxtyping import Array, Float

from jaxgap.fitting.least_squares import AbstractMinimiser, Minimum, ResidualFn


class OptimistixMinimiser(AbstractMinimiser):
    """Any least-squares solver of Optimistix, for a fit or to check the built-in solver by.

    **Arguments:**

    - `solver`: such as `optimistix.LevenbergMarquardt(rtol=1e-10, atol=1e-10)` or
        `optimistix.Dogleg(...)`.
    - `max_steps`: the most steps taken.

    **Example:**

    >>> minimiser = OptimistixMinimiser(optx.LevenbergMarquardt(rtol=1e-4, atol=1e-4))
    >>> minimum = minimiser(lambda z, args: z**2 - args, jnp.array([1.0, 2.0]), 4.0)
    >>> minimum.coordinates.round(3).tolist()
    [2.0, 2.0]
    """

    solver: optx.AbstractLeastSquaresSolver
    max_steps: int = eqx.field(static=True, default=256)

    def __call__(self, residual_fn: ResidualFn, start: Float[Array, " n"], args: Any) -> Minimum:
        solution = optx.least_squares(
            residual_fn, self.solver, start, args, max_steps=self.max_steps, throw=False
        )
        residuals = residual_fn(solution.value, args)
        converged = solution.result == optx.RESULTS.successful
        num_steps = jnp.asarray(solution.stats["num_steps"])
        return Minimum(solution.value, residuals @ residuals, converged, num_steps)
