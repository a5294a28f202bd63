r"""Levenberg-Marquardt for thousands of small nonlinear least-squares problems at once.

Bootstraps, multiple starts, profiles and folders of runs all ask for the same thing: minimise
$\tfrac12 \lVert r(y; \theta_i) \rVert^2$ over two to eight parameters $y$, for very many data sets
$\theta_i$. The solver here is one step, which the lanes of :mod:`jaxgap.fitting.lanes` take in
lockstep: no problem waits for another.

At $y$, with Jacobian $J$ and gradient $g = J^T r$, the step $h$ solves

$$(J^T J + \mu D^2)\, h = -g.$$

- *Scaling.* $D_j$ is the largest norm that the j-th column of $J$ has had (Moré 1978), so that the
  units of the parameters do not matter and $\mu$ is a pure number.
- *Damping.* With $\varrho$ the decrease of the cost over the decrease that the linear model
  predicts, a step with $\varrho > 10^{-4}$ is taken and $\mu$ shrinks by the factor
  $\max(1/3,\, 1 - (2\varrho - 1)^3)$; any other is refused and $\mu$ grows by 2, 4, 8, ...
  (Nielsen 1999). A step onto residuals that are not finite is refused like one that goes uphill.
- *Linear algebra.* Only the cost, $g$ and $J^T J$ outlive an evaluation. The scaled normal
  equations are solved by elimination without pivoting, stable for positive definite matrices.
  Squaring the condition number costs accuracy in the step, never in $g$, which alone decides where
  the iteration ends; beyond a condition of $10^8$ (after scaling) the damping takes over.
- *Stopping* is MINPACK's: relative decrease of the cost, both achieved and predicted (`ftol`),
  relative length of the step (`xtol`), or the cosine of the angle between $r$ and the columns of
  $J$ (`gtol`).

An evaluation gives the residuals at a trial point together with their Jacobian, in forward mode,
since nearly all trials are taken. A fresh problem is a state of infinite cost and no gradient: its
first "step" stays where it is and is always taken, so that one call evaluates fresh and running
lanes alike.

References: Marquardt, *An algorithm for least-squares estimation of nonlinear parameters*, SIAM J.
Appl. Math. 11 (1963). Moré, *The Levenberg-Marquardt algorithm: implementation and theory*, in
Numerical Analysis, LNM 630 (1978). Nielsen, *Damping parameter in Marquardt's method*, IMM-REP-
1999-05, DTU (1999).
"""

import enum
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PyTree

from jaxgap.fitting.lanes import AbstractIteration, run_lanes
from jaxgap.fitting.least_squares import NUM_LANES, AbstractMinimiser, Minimum, ResidualFn

_INITIAL_DAMPING = 1e-3
_SUFFICIENT_DECREASE = 1e-4
# At a minimum the residuals are this nearly orthogonal to every column of their Jacobian.
_STATIONARY = 1e-4
# Or the longest step along it would lower the cost by no more than this part.
_FLAT = 1e-8
# A coordinate shows in the residuals if the longest step along it changes them by more than this.
_NOTHING = 1e-12


class Status(enum.IntEnum):
    """Why a problem was left; `description` says it in words."""

    RUNNING = 0
    COST = 1
    STEP = 2
    GRADIENT = 3
    MAX_STEPS = 4
    STALLED = 5
    NOT_FINITE = 6

    @property
    def description(self) -> str:
        """The reason as a sentence's end: "the fit stopped because ..."."""
        return _DESCRIPTIONS[self]

    @property
    def converged(self) -> bool:
        """Whether one of the three tests of convergence was met."""
        return self in (Status.COST, Status.STEP, Status.GRADIENT)


_DESCRIPTIONS = {
    Status.RUNNING: "it has not been run to its end",
    Status.COST: "the squared error no longer decreased (ftol)",
    Status.STEP: "the parameters no longer changed (xtol)",
    Status.GRADIENT: "the gradient vanished (gtol)",
    Status.MAX_STEPS: "it reached the largest number of steps (max_steps)",
    Status.STALLED: "the residuals are not finite however short the step",
    Status.NOT_FINITE: "the residuals or their Jacobian are not finite at the start",
}


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
        return _converged(self.status)


class _Linearisation(NamedTuple):
    """All that is kept of the residuals at a point of one problem."""

    cost: Float[Array, ""]
    gradient: Float[Array, " params"]
    gram: Float[Array, "params params"]


class _State(NamedTuple):
    """A solve under way."""

    y: Float[Array, " params"]
    at: _Linearisation
    scale: Float[Array, " params"]
    damping: Float[Array, ""]
    growth: Float[Array, ""]
    num_steps: Int[Array, ""]
    status: Int[Array, ""]


class _Trial(NamedTuple):
    """What a step came to, for the tests of convergence; lengths are in scaled coordinates."""

    fresh: Bool[Array, ""]
    finite: Bool[Array, ""]
    decrease: Float[Array, ""]
    predicted: Float[Array, ""]
    step_length: Float[Array, ""]
    y_length: Float[Array, ""]


class LevenbergMarquardt(AbstractMinimiser):
    r"""The Levenberg-Marquardt method on normal equations, for small dense problems in batches.

    **Arguments:**

    - `ftol`, `xtol`, `gtol`: relative tolerances >= 0 of the cost, of the step and of the gradient,
        as in MINPACK. Any one of them ends a solve.
    - `max_steps`: the most steps tried, refused ones included.
    - `max_change`: the most that a coordinate changes in one step. The coordinates of a fit are
        scaled so that one is a sensible step; a longer one may strand a parameter on its bound,
        where its bijector is flat and nothing calls it back.
    - `atol`: a sum of squares so small ends a solve: the data have no noise, and round-off alone
        decides where the gradient points.
    """

    ftol: float = 1e-13
    xtol: float = 1e-10
    gtol: float = 1e-10
    max_steps: int = 128
    max_change: float = 4.0
    atol: float = 1e-24

    def begin(self, start: Float[Array, " n"]) -> _State:
        nowhere = _Linearisation(
            jnp.array(jnp.inf, start.dtype),
            jnp.zeros_like(start),
            jnp.zeros((len(start), len(start)), start.dtype),
        )
        return _State(
            y=start,
            at=nowhere,
            scale=jnp.zeros_like(start),
            damping=jnp.array(_INITIAL_DAMPING, start.dtype),
            growth=jnp.array(2.0, start.dtype),
            num_steps=jnp.array(-1),
            status=jnp.array(int(Status.RUNNING)),
        )

    def step(self, residual_fn: ResidualFn, state: _State, args: Any) -> _State:
        root_scale = jnp.sqrt(jnp.where(state.scale > 0, state.scale, 1.0))
        scaled_step, predicted = self._propose(state, root_scale)
        trial = state.y + scaled_step / root_scale
        there = _linearise(residual_fn, trial, args)

        fresh = jnp.isinf(state.at.cost)
        finite = jnp.isfinite(there.cost) & jnp.all(jnp.isfinite(there.gram))
        decrease = state.at.cost - there.cost
        gain = decrease / jnp.where(predicted > 0, predicted, 1.0)
        taken = finite & (fresh | ((predicted > 0) & (gain > _SUFFICIENT_DECREASE)))
        at = jax.tree.map(lambda new, old: jnp.where(taken, new, old), there, state.at)

        shrink = jnp.maximum(1 / 3, 1 - (2 * jnp.minimum(gain, 1.0) - 1) ** 3)
        damping = state.damping * jnp.where(fresh, 1.0, jnp.where(taken, shrink, state.growth))
        tried = _Trial(
            fresh=fresh,
            finite=finite,
            decrease=decrease,
            predicted=predicted,
            step_length=jnp.linalg.norm(scaled_step),
            y_length=jnp.linalg.norm(root_scale * state.y),
        )
        return _State(
            y=jnp.where(taken, trial, state.y),
            at=at,
            scale=jnp.where(taken, jnp.maximum(state.scale, jnp.diag(there.gram)), state.scale),
            # Below the rounding of the scaled matrix damping would do nothing but lose the pivots.
            damping=jnp.maximum(damping, jnp.finfo(damping.dtype).eps),
            growth=jnp.where(taken, 2.0, jnp.where(fresh, state.growth, 2 * state.growth)),
            num_steps=state.num_steps + 1,
            status=self._status(state, tried, at),
        )

    def finished(self, state: _State) -> Bool[Array, ""]:
        return state.status != Status.RUNNING

    def minimum(self, state: _State) -> Minimum:
        """Converged where nothing is left to gain: short steps alone do not say so.

        Nor do many steps tell against it, at the end of a valley that is straight and long.
        """
        cost = 2 * state.at.cost
        flat = self.max_change * jnp.abs(state.at.gradient) <= _FLAT * state.at.cost
        level = flat | (_cosines(state.at) < _STATIONARY)
        stationary = jnp.all(level) | (cost <= self.atol)
        ended = _converged(state.status) | (state.status == Status.MAX_STEPS)
        return Minimum(state.y, cost, ended & stationary, state.num_steps)

    def _without_effect(self, at: _Linearisation) -> Bool[Array, " params"]:
        """Which coordinates the longest step would not show of, as those run to infinity."""
        return self.max_change**2 * jnp.diag(at.gram) <= _NOTHING**2 * 2 * at.cost

    def _propose(
        self, state: _State, root_scale: Float[Array, " params"]
    ) -> tuple[Float[Array, " params"], Float[Array, ""]]:
        """The next step in scaled coordinates, and by how much it should lower the cost."""
        # What has run to infinity would take all of the step, and the others would stand still.
        moving = ~self._without_effect(state.at)
        gradient = jnp.where(moving, state.at.gradient / root_scale, 0.0)
        gram = state.at.gram / (root_scale[:, None] * root_scale)
        gram = jnp.where(moving[:, None] & moving, gram, jnp.diag(jnp.where(moving, 0.0, 1.0)))
        step = _solve(gram + state.damping * jnp.eye(len(gradient)), -gradient)
        change = jnp.max(jnp.abs(step / root_scale))
        part = jnp.minimum(1.0, self.max_change / jnp.where(change > 0, change, 1.0))
        descent = -step @ gradient
        curvature = descent - state.damping * step @ step
        return part * step, part * descent - 0.5 * part**2 * curvature

    def _status(self, state: _State, tried: _Trial, at: _Linearisation) -> Int[Array, ""]:
        """Whether a solve that was at `state` and is now `at` is finished, and why."""
        moved = ~tried.fresh & tried.finite
        small_decrease = self.ftol * state.at.cost
        cost_settled = (
            (jnp.abs(tried.decrease) <= small_decrease)
            & (tried.predicted <= small_decrease)
            & (tried.decrease <= 2 * tried.predicted)
        )
        small_step = tried.step_length <= self.xtol * tried.y_length
        tests = [
            (tried.fresh & ~tried.finite, Status.NOT_FINITE),
            (tried.finite & (_gradient_norm(at) <= self.gtol), Status.GRADIENT),
            (moved & (cost_settled | (2 * at.cost <= self.atol)), Status.COST),
            (moved & small_step, Status.STEP),
            (~tried.fresh & ~tried.finite & small_step, Status.STALLED),
            (state.num_steps + 1 >= self.max_steps, Status.MAX_STEPS),
        ]
        return jnp.select(
            [test for test, _ in tests], [int(each) for _, each in tests], state.status
        )


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

    - `residual_fn`: `residual_fn(y, args)` gives the residuals of **one** problem, shape
        `(rows,)`. It is differentiated in forward mode; give it a `jax.custom_jvp` where a better
        derivative is known, and `diffrax.ForwardMode()` where it integrates. Pass the same function
        object again to reuse the compiled program.
    - `y0`: the starts, shape `(batch, params)`, without bounds; float64 for the default tolerances.
    - `args`: a tree of arrays, each with a leading batch axis: what differs between problems.
    - `mask`: which rows count, shape `(batch, rows)`, so that problems of different lengths share a
        program. Rows left out may hold anything, NaN included.
    - `ftol`, `xtol`, `gtol`: relative tolerances >= 0 of the cost, of the step and of the gradient,
        as in MINPACK and `scipy.optimize.least_squares(method="lm")`. Any one of them ends a fit.
    - `max_steps`: the most steps tried on one problem, refused ones included.
    - `num_lanes`: how many problems are stepped together. More of them make each step cheaper per
        problem, up to what the device does at once (a few dozen on a CPU, thousands on a GPU);
        fewer make the end of the queue cheaper. The solutions do not depend on it.

    **Returns:**

    :class:`LeastSquares`: the last accepted `y`, its cost $\tfrac12\lVert r\rVert^2$, the
    largest cosine between $r$ and a column of $J$, the number of steps tried, and a :class:`Status`
    for each problem. A problem that fails is marked and leaves the others alone.

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
    solver = LevenbergMarquardt(ftol, xtol, gtol, max_steps, max_change=jnp.inf, atol=0.0)
    batch = _Batch(solver, residual_fn, y0, (args, mask))
    if not len(y0):
        nothing = jnp.zeros(0, y0.dtype)
        return LeastSquares(y0, nothing, nothing, nothing.astype(int), nothing.astype(int))
    return run_lanes(batch, len(y0), len(y0), num_lanes)


class _Batch(AbstractIteration):
    """The problems of one call of `levenberg_marquardt`."""

    solver: LevenbergMarquardt
    residual_fn: ResidualFn
    y0: Float[Array, "batch params"]
    data: PyTree

    def begin(self, problem: Int[Array, ""]) -> _State:
        return self.solver.begin(self.y0[problem])

    def step(self, problem: Int[Array, ""], state: _State) -> _State:
        datum = jax.tree.map(lambda leaf: leaf[problem], self.data)
        return self.solver.step(self._residuals, state, datum)

    def finished(self, state: _State) -> Bool[Array, ""]:
        return self.solver.finished(state)

    def result(self, problem: Int[Array, ""], state: _State) -> LeastSquares:
        del problem
        return LeastSquares(
            state.y, state.at.cost, _gradient_norm(state.at), state.num_steps, state.status
        )

    def _residuals(self, y: Float[Array, " params"], datum: Any) -> Float[Array, " rows"]:
        args, mask = datum
        residuals = self.residual_fn(y, args)
        return residuals if mask is None else jnp.where(mask, residuals, 0)


def _converged(status: Int[Array, "..."]) -> Bool[Array, "..."]:
    return (status >= Status.COST) & (status <= Status.GRADIENT)


def _linearise(residual_fn: ResidualFn, y: Float[Array, " params"], args: Any) -> _Linearisation:
    """Cost, gradient and Gauss-Newton matrix of one problem, by forward mode."""

    def tangent(direction: Float[Array, " params"]):
        return jax.jvp(lambda y: residual_fn(y, args), (y,), (direction,))

    residuals, columns = jax.vmap(tangent, out_axes=(None, 0))(jnp.eye(len(y), dtype=y.dtype))
    return _Linearisation(
        cost=0.5 * jnp.sum(residuals**2), gradient=columns @ residuals, gram=columns @ columns.T
    )


def _gradient_norm(at: _Linearisation) -> Float[Array, ""]:
    """The largest cosine of an angle between the residuals and a column of their Jacobian."""
    return jnp.max(_cosines(at))


def _cosines(at: _Linearisation) -> Float[Array, " params"]:
    lengths = jnp.sqrt(jnp.diag(at.gram) * 2 * at.cost)
    return jnp.abs(at.gradient) / jnp.where(lengths > 0, lengths, jnp.inf)


def _solve(
    matrix: Float[Array, "params params"], right: Float[Array, " params"]
) -> Float[Array, " params"]:
    """Gauss-Jordan elimination, not finite where a pivot says "not positive definite".

    The loop over pivots is unrolled: over lanes it compiles to a few fused elementwise kernels,
    some three times as fast for five parameters as a batched LAPACK call.
    """
    table = jnp.concatenate([matrix, right[:, None]], axis=1)
    for k in range(len(right)):
        pivot = jnp.where(table[k, k] > 0, table[k, k], jnp.nan)
        row = table[k] / pivot
        table = (table - table[:, k, None] * row).at[k].set(row)
    return table[:, -1]
