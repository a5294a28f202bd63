"""Thousands of small least-squares problems solved in parallel, in lanes."""

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PyTree

from jaxgap.fitting.least_squares.lanes import run_lanes
from jaxgap.fitting.least_squares.levenberg_marquardt import (
    LevenbergMarquardt,
    SolveState,
    gradient_norm,
    has_converged,
)
from jaxgap.fitting.least_squares.minimiser import NUM_LANES, ResidualFn, Solves


class LeastSquares(NamedTuple):
    """The solutions of a batch of problems, every field with a leading batch axis."""

    y: Float[Array, "batch params"]
    cost: Float[Array, " batch"]
    gradient_norm: Float[Array, " batch"]
    num_steps: Int[Array, " batch"]
    status: Int[Array, " batch"]

    @property
    def converged(self) -> Bool[Array, " batch"]:
        """Which problems met one of the three tests of convergence."""
        return has_converged(self.status)


@eqx.filter_jit
def levenberg_marquardt(
    residual_fn: ResidualFn,
    y0: Float[Array, "batch params"],
    args: PyTree = None,
    *,
    mask: Bool[Array, "batch rows"] | None = None,
    ftol: float = 1e-8,
    xtol: float = 1e-8,
    gtol: float = 1e-8,
    max_steps: int = 200,
    num_lanes: int = NUM_LANES,
) -> LeastSquares:
    r"""Solve a batch of independent nonlinear least-squares problems.

    $$\min_{y_i} \tfrac12 \sum_{n} m_{in}\, r_n(y_i; \theta_i)^2, \qquad i = 1, \dots,
      \text{batch}.$$

    **Arguments:**

    - `residual_fn`: `residual_fn(y, args)` returns the residuals of **one** problem, shape
        `(rows,)`. It is differentiated in forward mode; use `jax.custom_jvp` if a better derivative
        is known, and `diffrax.ForwardMode()` if it integrates. Pass the same function object again
        to reuse the compiled program.
    - `y0`: the starts, shape `(batch, params)`, without bounds; float64 for the default tolerances.
    - `args`: a tree of arrays, each with a leading batch axis: what differs between problems.
    - `mask`: which rows count, shape `(batch, rows)`, so that problems of different lengths share a
        program. Masked rows may contain anything, including NaN.
    - `ftol`, `xtol`, `gtol`: relative tolerances >= 0 of the cost, of the step and of the gradient,
        as in MINPACK and `scipy.optimize.least_squares(method="lm")`. Any one of them ends a fit.
    - `max_steps`: the most steps tried on one problem, including rejected ones.
    - `num_lanes`: how many problems are stepped together. More lanes make each step cheaper per
        problem, up to the parallelism of the device (a few dozen on a CPU, thousands on a GPU);
        fewer make the end of the queue cheaper. The solutions do not depend on it.

    **Returns:**

    :class:`LeastSquares`: the last accepted `y`, its cost $\tfrac12\lVert r\rVert^2$, the
    largest cosine between $r$ and a column of $J$, the number of steps tried, and a :class:`Status`
    for each problem. A problem that fails is marked and does not affect the others.

    **Raises:**

    `ValueError` if `y0` is not a matrix of floats, or `num_lanes` is less than one.

    **Example:**

    >>> def residuals(y, args):
    ...     ts, us = args
    ...     return y[0] * jnp.exp(-y[1] * ts) - us
    >>> with jax.enable_x64(True):
    ...     ts = jnp.tile(jnp.arange(5.0), (2, 1))
    ...     us = jnp.stack([2 * jnp.exp(-0.5 * ts[0]), 3 * jnp.exp(-0.25 * ts[1])])
    ...     levenberg_marquardt(residuals, jnp.ones((2, 2)), (ts, us)).y.round(6).tolist()
    [[2.0, 0.5], [3.0, 0.25]]
    """
    y0 = jnp.asarray(y0)
    if y0.ndim != 2 or not jnp.issubdtype(y0.dtype, jnp.floating):
        raise ValueError(
            f"y0 must be floats of shape (batch, params), got {y0.dtype} of shape {y0.shape}"
        )
    if num_lanes < 1:
        raise ValueError(f"num_lanes must be at least 1, got {num_lanes}")
    if not len(y0):
        nothing = jnp.zeros(0, y0.dtype)
        return LeastSquares(y0, nothing, nothing, nothing.astype(int), nothing.astype(int))

    def data_fn(problem: Int[Array, ""]) -> PyTree:
        return jax.tree.map(lambda leaf: leaf[problem], (args, mask))

    def masked_residual_fn(y: Float[Array, " params"], data: PyTree) -> Float[Array, " rows"]:
        args, mask = data
        residuals = residual_fn(y, args)
        return residuals if mask is None else jnp.where(mask, residuals, 0)

    solver = LevenbergMarquardt(ftol, xtol, gtol, max_steps, max_change=jnp.inf, atol=0.0)
    solves = Solves(solver, masked_residual_fn, y0, data_fn, _solution)
    return run_lanes(solves, len(y0), len(y0), num_lanes)


def _solution(state: SolveState) -> LeastSquares:
    """What is kept of a finished solve."""
    norm = gradient_norm(state.at)
    return LeastSquares(state.y, state.at.cost, norm, state.num_steps, state.status)
