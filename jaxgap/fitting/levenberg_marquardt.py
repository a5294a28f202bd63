r"""Levenberg-Marquardt for thousands of small nonlinear least-squares problems at once.

Bootstraps, multiple starts and folders of runs all ask for the same thing: minimise
$\tfrac12 \lVert r(y; \theta_i) \rVert^2$ over two to eight parameters $y$, for very many data sets
$\theta_i$. Mapping a general solver over them with `jax.vmap` runs until the slowest problem is
done, and every problem pays for every step. Here the batch is part of the algorithm.

**One problem.** At $y$, with Jacobian $J$ and gradient $g = J^T r$, the step $h$ solves

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

**Many problems.** A fixed number of *lanes* steps in lockstep, each working on one problem. Once
an eighth of them has finished, their results are written out and the lanes take the next
problems from the queue: no problem waits for another, and a straggler at the end keeps only its
few neighbours idle, not the whole batch. An evaluation gives the residuals at a trial point
together with their Jacobian, in forward mode, since nearly all trials are taken. A fresh problem
is a lane of infinite cost and no gradient: its first "step" stays where it is and is always taken,
so that one call evaluates fresh and running lanes alike.

References: Marquardt, *An algorithm for least-squares estimation of nonlinear parameters*, SIAM J.
Appl. Math. 11 (1963). Moré, *The Levenberg-Marquardt algorithm: implementation and theory*, in
Numerical Analysis, LNM 630 (1978). Nielsen, *Damping parameter in Marquardt's method*, IMM-REP-
1999-05, DTU (1999).
"""

import enum
from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PyTree

ResidualFn = Callable[[Float[Array, " params"], Any], Float[Array, " rows"]]

_INITIAL_DAMPING = 1e-3
_SUFFICIENT_DECREASE = 1e-4


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
        return (self.status >= Status.COST) & (self.status <= Status.GRADIENT)


class _Tolerances(NamedTuple):
    ftol: float
    xtol: float
    gtol: float
    max_steps: int


class _Linearisation(NamedTuple):
    """All that is kept of the residuals at a point of one problem."""

    cost: Float[Array, ""]
    gradient: Float[Array, " params"]
    gram: Float[Array, "params params"]


class _Lane(NamedTuple):
    """One problem under way; `jax.vmap` gives each field a leading axis of lanes."""

    problem: Int[Array, ""]
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


class _Progress(NamedTuple):
    """The lanes, the queue's head, and what has been solved so far."""

    lanes: _Lane
    next_problem: Int[Array, ""]
    solutions: LeastSquares


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
    num_lanes: int = 64,
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
    tolerances = _Tolerances(ftol, xtol, gtol, max_steps)
    data = (args, mask)

    def step(lanes: _Lane) -> _Lane:
        lane_data = jax.tree.map(lambda leaf: leaf.at[lanes.problem].get(mode="clip"), data)
        return jax.vmap(lambda lane, datum: _step(residual_fn, tolerances, lane, datum))(
            lanes, lane_data
        )

    lanes = _idle_lanes(min(num_lanes, len(y0)), y0)
    return _run(step, y0, _Progress(lanes, jnp.array(0), _no_solutions(y0)))


def _run(
    step: Callable[[_Lane], _Lane], y0: Float[Array, "batch params"], progress: _Progress
) -> LeastSquares:
    """Step lanes, exchanging finished problems for fresh ones, until none is left."""
    patience = max(1, len(progress.lanes.problem) // 8)

    def unfinished(progress: _Progress) -> Bool[Array, ""]:
        waiting = progress.next_problem < len(y0)
        return waiting | jnp.any(progress.lanes.status == Status.RUNNING)

    def body(progress: _Progress) -> _Progress:
        num_finished = jnp.sum(progress.lanes.status != Status.RUNNING)
        worthwhile = (num_finished >= patience) & (progress.next_problem < len(y0))
        progress = jax.lax.cond(worthwhile, lambda p: _refill(y0, _write(p)), lambda p: p, progress)
        return progress._replace(lanes=step(progress.lanes))

    return _write(jax.lax.while_loop(unfinished, body, progress)).solutions


def _write(progress: _Progress) -> _Progress:
    """Copy the results of finished lanes to where their problems stand in the batch."""
    lanes, solutions = progress.lanes, progress.solutions
    finished = lanes.status != Status.RUNNING
    # Idle lanes have a problem beyond the batch: what is written there is dropped.
    rows = jnp.where(finished, lanes.problem, len(solutions.cost))
    results = LeastSquares(
        lanes.y, lanes.at.cost, jax.vmap(_gradient_norm)(lanes.at), lanes.num_steps, lanes.status
    )
    solutions = jax.tree.map(
        lambda all_values, values: all_values.at[rows].set(values, mode="drop"), solutions, results
    )
    return progress._replace(solutions=solutions)


def _refill(y0: Float[Array, "batch params"], progress: _Progress) -> _Progress:
    """Give finished lanes the next problems of the queue, as far as there are any."""
    lanes, next_problem = progress.lanes, progress.next_problem
    finished = lanes.status != Status.RUNNING
    claimed = jnp.where(finished, next_problem + jnp.cumsum(finished) - 1, lanes.problem)
    fresh = finished & (claimed < len(y0))
    problem = jnp.minimum(claimed, len(y0))
    start = jax.vmap(_fresh_lane)(problem, y0.at[problem].get(mode="clip"))
    idle = lanes._replace(problem=problem)
    lanes = jax.tree.map(
        lambda new, old: jnp.where(jnp.expand_dims(fresh, range(1, new.ndim)), new, old),
        start,
        idle,
    )
    return progress._replace(lanes=lanes, next_problem=next_problem + jnp.sum(fresh))


def _fresh_lane(problem: Int[Array, ""], y: Float[Array, " params"]) -> _Lane:
    """A lane about to evaluate its problem for the first time."""
    nowhere = _Linearisation(
        jnp.array(jnp.inf, y.dtype), jnp.zeros_like(y), jnp.zeros((len(y), len(y)), y.dtype)
    )
    return _Lane(
        problem=problem,
        y=y,
        at=nowhere,
        scale=jnp.zeros_like(y),
        damping=jnp.array(_INITIAL_DAMPING, y.dtype),
        growth=jnp.array(2.0, y.dtype),
        num_steps=jnp.array(-1),
        status=jnp.array(int(Status.RUNNING)),
    )


def _idle_lanes(num_lanes: int, y0: Float[Array, "batch params"]) -> _Lane:
    """Lanes without a problem, which the first refill sets to work."""
    problems = jnp.full(num_lanes, len(y0))
    lanes = jax.vmap(_fresh_lane)(problems, jnp.zeros((num_lanes, y0.shape[1]), y0.dtype))
    return lanes._replace(status=jnp.full(num_lanes, int(Status.MAX_STEPS)))


def _no_solutions(y0: Float[Array, "batch params"]) -> LeastSquares:
    nothing = jnp.full(len(y0), jnp.nan, y0.dtype)
    return LeastSquares(
        y0, nothing, nothing, jnp.zeros(len(y0), int), jnp.full(len(y0), int(Status.RUNNING))
    )


def _step(
    residual_fn: ResidualFn, tolerances: _Tolerances, lane: _Lane, datum: tuple[PyTree, Any]
) -> _Lane:
    """Try one step on one problem."""
    root_scale = jnp.sqrt(jnp.where(lane.scale > 0, lane.scale, 1.0))
    gradient = lane.at.gradient / root_scale
    gram = lane.at.gram / (root_scale[:, None] * root_scale)
    scaled_step = _solve(gram + lane.damping * jnp.eye(len(gradient)), -gradient)
    predicted = 0.5 * jnp.sum(scaled_step * (lane.damping * scaled_step - gradient))
    trial = lane.y + scaled_step / root_scale
    there = _linearise(residual_fn, trial, datum)

    fresh = jnp.isinf(lane.at.cost)
    finite = jnp.isfinite(there.cost) & jnp.all(jnp.isfinite(there.gram))
    decrease = lane.at.cost - there.cost
    gain = decrease / jnp.where(predicted > 0, predicted, 1.0)
    taken = finite & (fresh | ((predicted > 0) & (gain > _SUFFICIENT_DECREASE)))
    at = jax.tree.map(lambda new, old: jnp.where(taken, new, old), there, lane.at)

    shrink = jnp.maximum(1 / 3, 1 - (2 * jnp.minimum(gain, 1.0) - 1) ** 3)
    damping = lane.damping * jnp.where(fresh, 1.0, jnp.where(taken, shrink, lane.growth))
    tried = _Trial(
        fresh=fresh,
        finite=finite,
        decrease=decrease,
        predicted=predicted,
        step_length=jnp.linalg.norm(scaled_step),
        y_length=jnp.linalg.norm(root_scale * lane.y),
    )
    was_running = lane.status == Status.RUNNING
    stepped = _Lane(
        problem=lane.problem,
        y=jnp.where(taken, trial, lane.y),
        at=at,
        scale=jnp.where(taken, jnp.maximum(lane.scale, jnp.diag(there.gram)), lane.scale),
        # Below the rounding of the scaled matrix damping would do nothing but lose the pivots.
        damping=jnp.maximum(damping, jnp.finfo(damping.dtype).eps),
        growth=jnp.where(taken, 2.0, jnp.where(fresh, lane.growth, 2 * lane.growth)),
        num_steps=lane.num_steps + 1,
        status=_status(tolerances, lane, tried, at),
    )
    return jax.tree.map(lambda new, old: jnp.where(was_running, new, old), stepped, lane)


def _status(
    tolerances: _Tolerances, lane: _Lane, tried: _Trial, at: _Linearisation
) -> Int[Array, ""]:
    """Whether a problem that was at `lane` and is now `at` is finished, and why."""
    moved = ~tried.fresh & tried.finite
    small_decrease = tolerances.ftol * lane.at.cost
    cost_settled = (
        (jnp.abs(tried.decrease) <= small_decrease)
        & (tried.predicted <= small_decrease)
        & (tried.decrease <= 2 * tried.predicted)
    )
    small_step = tried.step_length <= tolerances.xtol * tried.y_length
    tests = [
        (tried.fresh & ~tried.finite, Status.NOT_FINITE),
        (tried.finite & (_gradient_norm(at) <= tolerances.gtol), Status.GRADIENT),
        (moved & cost_settled, Status.COST),
        (moved & small_step, Status.STEP),
        (~tried.fresh & ~tried.finite & small_step, Status.STALLED),
        (lane.num_steps + 1 >= tolerances.max_steps, Status.MAX_STEPS),
    ]
    return jnp.select([test for test, _ in tests], [int(each) for _, each in tests], lane.status)


def _linearise(
    residual_fn: ResidualFn, y: Float[Array, " params"], datum: tuple[PyTree, Any]
) -> _Linearisation:
    """Cost, gradient and Gauss-Newton matrix of one problem, by forward mode."""
    args, mask = datum

    def tangent(direction: Float[Array, " params"]):
        return jax.jvp(lambda y: residual_fn(y, args), (y,), (direction,))

    residuals, columns = jax.vmap(tangent, out_axes=(None, 0))(jnp.eye(len(y), dtype=y.dtype))
    if mask is not None:
        residuals, columns = jnp.where(mask, residuals, 0), jnp.where(mask, columns, 0)
    return _Linearisation(
        cost=0.5 * jnp.sum(residuals**2), gradient=columns @ residuals, gram=columns @ columns.T
    )


def _gradient_norm(at: _Linearisation) -> Float[Array, ""]:
    """The largest cosine of an angle between the residuals and a column of their Jacobian."""
    lengths = jnp.sqrt(jnp.diag(at.gram) * 2 * at.cost)
    return jnp.max(jnp.abs(at.gradient) / jnp.where(lengths > 0, lengths, jnp.inf))


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
