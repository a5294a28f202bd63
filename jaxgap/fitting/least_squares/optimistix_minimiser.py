"""Optimistix's least-squares solvers in place of the built-in one."""

from typing import Any, NamedTuple

import equinox as eqx
import jax.numpy as jnp
import optimistix as optx
from jaxtyping import Array, Bool, Float

from jaxgap.fitting.least_squares.minimiser import AbstractMinimiser, Minimum, ResidualFn


class OptimistixMinimiser(AbstractMinimiser):
    """Any of Optimistix's least-squares solvers, for a fit or to check the built-in solver.

    **Arguments:**

    - `solver`: such as `optimistix.LevenbergMarquardt(rtol=1e-10, atol=1e-10)` or
        `optimistix.Dogleg(...)`.
    - `max_steps`: the most steps taken.

    **Example:**

    >>> minimiser = OptimistixMinimiser(optx.LevenbergMarquardt(rtol=1e-4, atol=1e-4))
    >>> state = minimiser.step(
    ...     lambda z, args: z**2 - args, minimiser.begin(jnp.array([1.0, 2.0])), 4.0
    ... )
    >>> minimiser.minimum(state).coordinates.round(3).tolist()
    [2.0, 2.0]
    """

    solver: optx.AbstractLeastSquaresSolver
    max_steps: int = eqx.field(static=True, default=256)

    def begin(self, start: Float[Array, " n"]) -> "_State":
        nowhere = jnp.array(jnp.inf, start.dtype)
        no = jnp.asarray(False)
        return _State(Minimum(start, nowhere, no, jnp.zeros((), int)), no)

    def step(self, residual_fn: ResidualFn, state: "_State", args: Any) -> "_State":
        """The whole solve."""
        solution = optx.least_squares(
            residual_fn,
            self.solver,
            state.minimum.coordinates,
            args,
            max_steps=self.max_steps,
            throw=False,
        )
        residuals = residual_fn(solution.value, args)
        converged = solution.result == optx.RESULTS.successful
        num_steps = jnp.asarray(solution.stats["num_steps"], state.minimum.num_steps.dtype)
        return _State(
            Minimum(solution.value, residuals @ residuals, converged, num_steps), jnp.asarray(True)
        )

    def finished(self, state: "_State") -> Bool[Array, ""]:
        return state.done

    def minimum(self, state: "_State") -> Minimum:
        return state.minimum


class _State(NamedTuple):
    """The state of a solve: at its start, or done."""

    minimum: Minimum
    done: Bool[Array, ""]
