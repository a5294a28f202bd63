r"""Levenberg-Marquardt for small nonlinear least-squares problems, one step at a time.

Bootstraps, multiple starts, profiles and folders of runs all need the same thing: minimise
$\tfrac12 \lVert r(y; \theta_i) \rVert^2$ over two to eight parameters $y$, for very many data sets
$\theta_i$. The solver is written as one step, which the lanes of
:mod:`jaxgap.fitting.least_squares.lanes` take in lockstep: no problem waits for another.

At $y$, with Jacobian $J$ and gradient $g = J^T r$, the step $h$ solves

$$(J^T J + \mu D^2)\, h = -g.$$

- *Scaling.* $D_j$ is the largest norm so far of the j-th column of $J$ (Moré 1978), so that the
  units of the parameters do not matter and $\mu$ is dimensionless.
- *Damping.* With $\varrho$ the decrease of the cost over the decrease that the linear model
  predicts, a step with $\varrho > 10^{-4}$ is accepted and $\mu$ shrinks by the factor
  $\max(1/3,\, 1 - (2\varrho - 1)^3)$; any other is rejected and $\mu$ grows by 2, 4, 8, ...
  (Nielsen 1999). A step to non-finite residuals is rejected like one that goes uphill.
- *Linear algebra.* Only the cost, $g$ and $J^T J$ are kept of an evaluation. The scaled normal
  equations are solved by elimination without pivoting, stable for positive definite matrices.
  Squaring the condition number costs accuracy in the step, never in $g$, which alone decides where
  the iteration ends; beyond a condition number of $10^8$ (after scaling) the damping takes over.
- *Stopping* is MINPACK's: relative decrease of the cost, both achieved and predicted (`ftol`),
  relative length of the step (`xtol`), or the cosine of the angle between $r$ and the columns of
  $J$ (`gtol`).

An evaluation computes the residuals at a trial point together with their Jacobian, in forward mode,
since nearly all trials are accepted. A fresh problem is a state of infinite cost and zero gradient:
its first "step" stays in place and is always accepted, so that one call serves fresh and running
lanes alike.

References: Marquardt, *An algorithm for least-squares estimation of nonlinear parameters*, SIAM J.
Appl. Math. 11 (1963). Moré, *The Levenberg-Marquardt algorithm: implementation and theory*, in
Numerical Analysis, LNM 630 (1978). Nielsen, *Damping parameter in Marquardt's method*, IMM-REP-
1999-05, DTU (1999).
"""

import enum
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from jaxgap.fitting.least_squares.elimination import solve_positive_definite
from jaxgap.fitting.least_squares.minimiser import AbstractMinimiser, Minimum, ResidualFn

_INITIAL_DAMPING = 1e-3
_SUFFICIENT_DECREASE = 1e-4
# At a minimum the residuals are this nearly orthogonal to every column of their Jacobian.
_STATIONARY = 1e-4
# Or the longest step along it would lower the cost by no more than this fraction.
_FLAT = 1e-8
# A coordinate has an effect if the longest step along it changes the residuals by more than this.
_NOTHING = 1e-12
# A sum of squares this small is round-off, and its gradient is meaningless.
_ROUND_OFF = 1e-18


class Status(enum.IntEnum):
    """Why a solve ended.

    - `COST`, `STEP`, `GRADIENT`: a test of convergence was met (`ftol`, `xtol`, `gtol`).
    - `MAX_STEPS`: the steps ran out.
    - `STALLED`: the residuals are not finite, however short the step.
    - `NOT_FINITE`: the residuals or their Jacobian are not finite at the start.
    """

    RUNNING = 0
    COST = 1
    STEP = 2
    GRADIENT = 3
    MAX_STEPS = 4
    STALLED = 5
    NOT_FINITE = 6


class _Linearisation(NamedTuple):
    """What is kept of the residuals of one problem at one point."""

    cost: Float[Array, ""]
    gradient: Float[Array, " params"]
    gram: Float[Array, "params params"]


class SolveState(NamedTuple):
    """The state of a solve."""

    y: Float[Array, " params"]
    at: _Linearisation
    scale: Float[Array, " params"]
    damping: Float[Array, ""]
    growth: Float[Array, ""]
    num_steps: Int[Array, ""]
    status: Int[Array, ""]


class _Proposal(NamedTuple):
    """A step in scaled coordinates, and which part of it is tried.

    `descent` and `curvature` are the first and second derivative of the model's decrease along it.
    """

    step: Float[Array, " params"]
    part: Float[Array, ""]
    descent: Float[Array, ""]
    curvature: Float[Array, ""]

    def decrease_after(self, part: Float[Array, ""] | float) -> Float[Array, ""]:
        """The decrease of the cost that the model predicts for that part of the step."""
        return part * self.descent - 0.5 * part**2 * self.curvature


class _Trial(NamedTuple):
    """The outcome of a step, for the convergence tests; lengths are in scaled coordinates.

    `predicted` and `step_length` are those of the whole step, before it is cut to `max_change`: a
    step cut short for one coordinate hardly moves the others, so a small gain does not mean
    convergence.
    """

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
    - `max_steps`: the most steps tried, including rejected ones.
    - `max_change`: the most that a coordinate changes in one step. The coordinates of a fit are
        scaled so that a unit step is sensible; a much longer one may strand a parameter on its
        bound, where its bijector is flat and has no gradient to bring it back.
    - `atol`: a sum of squares below this ends a solve: the data have no noise, and the gradient is
        mere round-off.
    """

    ftol: float = 1e-13
    xtol: float = 1e-10
    gtol: float = 1e-10
    max_steps: int = 128
    max_change: float = 4.0
    atol: float = 1e-24

    def begin(self, start: Float[Array, " n"]) -> SolveState:
        nowhere = _Linearisation(
            jnp.array(jnp.inf, start.dtype),
            jnp.zeros_like(start),
            jnp.zeros((len(start), len(start)), start.dtype),
        )
        return SolveState(
            y=start,
            at=nowhere,
            scale=jnp.zeros_like(start),
            damping=jnp.array(_INITIAL_DAMPING, start.dtype),
            growth=jnp.array(2.0, start.dtype),
            num_steps=jnp.array(-1),
            status=jnp.array(int(Status.RUNNING)),
        )

    def step(self, residual_fn: ResidualFn, state: SolveState, args: Any) -> SolveState:
        root_scale = jnp.sqrt(jnp.where(state.scale > 0, state.scale, 1.0))
        proposal = self._propose(state, root_scale)
        predicted = proposal.decrease_after(proposal.part)
        trial = state.y + proposal.part * proposal.step / root_scale
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
            predicted=proposal.decrease_after(1.0),
            step_length=jnp.linalg.norm(proposal.step),
            y_length=jnp.linalg.norm(root_scale * state.y),
        )
        return SolveState(
            y=jnp.where(taken, trial, state.y),
            at=at,
            scale=jnp.where(taken, jnp.maximum(state.scale, jnp.diag(there.gram)), state.scale),
            # Damping below the rounding of the scaled matrix would not keep the pivots positive.
            damping=jnp.maximum(damping, jnp.finfo(damping.dtype).eps),
            growth=jnp.where(taken, 2.0, jnp.where(fresh, state.growth, 2 * state.growth)),
            num_steps=state.num_steps + 1,
            status=self._status(state, tried, at),
        )

    def finished(self, state: SolveState) -> Bool[Array, ""]:
        return state.status != Status.RUNNING

    def minimum(self, state: SolveState) -> Minimum:
        """The minimum, converged only if it is stationary: short steps alone are not enough.

        Running out of steps does not rule it out, at the end of a long straight valley.
        """
        cost = 2 * state.at.cost
        flat = self.max_change * jnp.abs(state.at.gradient) <= _FLAT * state.at.cost
        level = flat | (_cosines(state.at) < _STATIONARY)
        stationary = jnp.all(level) | (cost <= _ROUND_OFF)
        ended = has_converged(state.status) | (state.status == Status.MAX_STEPS)
        return Minimum(state.y, cost, ended & stationary, state.num_steps)

    def _without_effect(self, at: _Linearisation) -> Bool[Array, " params"]:
        """Which coordinates have no effect even at the longest step, having run to infinity."""
        return self.max_change**2 * jnp.diag(at.gram) <= _NOTHING**2 * 2 * at.cost

    def _propose(self, state: SolveState, root_scale: Float[Array, " params"]) -> _Proposal:
        # A coordinate that has run to infinity would use up the step and leave the others still.
        moving = ~self._without_effect(state.at)
        gradient = jnp.where(moving, state.at.gradient / root_scale, 0.0)
        gram = state.at.gram / (root_scale[:, None] * root_scale)
        gram = jnp.where(moving[:, None] & moving, gram, jnp.diag(jnp.where(moving, 0.0, 1.0)))
        step = solve_positive_definite(gram + state.damping * jnp.eye(len(gradient)), -gradient)
        change = jnp.max(jnp.abs(step / root_scale))
        part = jnp.minimum(1.0, self.max_change / jnp.where(change > 0, change, 1.0))
        descent = -step @ gradient
        curvature = descent - state.damping * step @ step
        return _Proposal(step, part, descent, curvature)

    def _status(self, state: SolveState, tried: _Trial, at: _Linearisation) -> Int[Array, ""]:
        """The status of a solve that has stepped from `state` to `at`."""
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
            (tried.finite & (gradient_norm(at) <= self.gtol), Status.GRADIENT),
            (moved & (cost_settled | (2 * at.cost <= self.atol)), Status.COST),
            (moved & small_step, Status.STEP),
            (~tried.fresh & ~tried.finite & small_step, Status.STALLED),
            (state.num_steps + 1 >= self.max_steps, Status.MAX_STEPS),
        ]
        return jnp.select(
            [test for test, _ in tests], [int(each) for _, each in tests], state.status
        )


def has_converged(status: Int[Array, "..."]) -> Bool[Array, "..."]:
    """Whether one of the three tests of convergence was met."""
    return (status >= Status.COST) & (status <= Status.GRADIENT)


def _linearise(residual_fn: ResidualFn, y: Float[Array, " params"], args: Any) -> _Linearisation:
    """Cost, gradient and Gauss-Newton matrix of one problem, by forward mode."""

    def tangent(direction: Float[Array, " params"]):
        return jax.jvp(lambda y: residual_fn(y, args), (y,), (direction,))

    residuals, columns = jax.vmap(tangent, out_axes=(None, 0))(jnp.eye(len(y), dtype=y.dtype))
    return _Linearisation(
        cost=0.5 * jnp.sum(residuals**2), gradient=columns @ residuals, gram=columns @ columns.T
    )


def gradient_norm(at: _Linearisation) -> Float[Array, ""]:
    """The largest cosine of the angles between the residuals and the columns of their Jacobian."""
    return jnp.max(_cosines(at))


def _cosines(at: _Linearisation) -> Float[Array, " params"]:
    lengths = jnp.sqrt(jnp.diag(at.gram) * 2 * at.cost)
    return jnp.abs(at.gradient) / jnp.where(lengths > 0, lengths, jnp.inf)
