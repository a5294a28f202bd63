"""Any law of motion, integrated numerically by Diffrax.

Closed forms, where a law has one, are faster and exact; this is for the laws that have none, and
the closed forms are tested against it. Diffrax's options are passed through, as Diffrax's own
objects.
"""

from typing import Any

import diffrax
import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Float, PyTree

from jaxgap.dynamics import next_after
from jaxgap.dynamics.abstract_dynamics import AbstractDynamics
from jaxgap.dynamics.types import RealScalar, as_floats, require_float64

next_after.register()

BEFORE_T0 = "ts must not be before dynamics.t0"
DEFAULT_ODE_SOLVER = diffrax.Tsit5()
DEFAULT_CONTROLLER = diffrax.PIDController(rtol=1e-9, atol=1e-12)


def simulate(
    dynamics: AbstractDynamics,
    ts: Float[Array, " times"],
    *,
    ode_solver: diffrax.AbstractSolver = DEFAULT_ODE_SOLVER,
    stepsize_controller: diffrax.AbstractStepSizeController = DEFAULT_CONTROLLER,
    saveat: diffrax.SaveAt | None = None,
    adjoint: diffrax.AbstractAdjoint | None = None,
    dt0: RealScalar | None = None,
    max_steps: int | None = 4096,
    throw: bool = True,
) -> diffrax.Solution:
    r"""Integrate a law of motion and return its states at the given times.

    $$y(t) = y(t_0) + \int_{t_0}^{t} f(s, y(s))\,ds, \qquad y = [U_s, U_v].$$

    The parameters reach the vector field through Diffrax's `args`, so that every adjoint can
    differentiate with respect to them. The default controller can step over a narrow pulse in a law
    of one's own, which it sees only at the points that it evaluates;
    `diffrax.ClipStepSizeController(controller, jump_ts=...)` ends a step at each given time, and
    `dtmax` of `diffrax.PIDController` bounds every step.

    **Arguments:**

    - `dynamics`: the law, with its initial values at `dynamics.t0`.
    - `ts`: increasing times, shape `(times,)`, none before `dynamics.t0`.
    - `ode_solver`: default `diffrax.Tsit5()`.
    - `stepsize_controller`: default `diffrax.PIDController(rtol=1e-9, atol=1e-12)`.
    - `saveat`: default `diffrax.SaveAt(ts=ts)`; `ts[-1]` ends the integration whatever it is.
    - `adjoint`: default `diffrax.RecursiveCheckpointAdjoint()`, for reverse mode. Forward mode,
        which a fit uses, needs `diffrax.ForwardMode()`; second derivatives need
        `diffrax.DirectAdjoint()` for `jax.hessian`, or `diffrax.ForwardMode()` for `jax.jacfwd` of
        `jax.jacfwd`.
    - `dt0`: the first step; by default chosen by the controller.
    - `max_steps`: the most steps taken.
    - `throw`: whether a failed solve raises. If not, look at `.result`.

    **Returns:**

    Diffrax's `Solution`: `.ys` has shape `(times, 2)`, and `.result` says how the solve went.

    **Raises:**

    `ValueError` if 64-bit floats are off (32 bits are too coarse for the default tolerances), or if
    `ts` is empty, not one-dimensional, not finite, out of order, or has a time before `dynamics.t0`
    (in a compiled function the last two are runtime errors, and NaN is not checked for).
    A failed solve raises Diffrax's error, if `throw`.

    **Example:**

    >>> import jax
    >>> from jaxgap.dynamics import GapDynamics, LinearPotential, RankOneCoupling
    >>> dynamics = GapDynamics(LinearPotential(0.5, 0.0), RankOneCoupling(0.5), 4.0, 2.0)
    >>> with jax.enable_x64(True):
    ...     simulate(dynamics, jnp.array([0.0, 1.0])).ys.round(6).tolist()
    [[4.0, 2.0], [2.426123, 1.213061]]

    The equations are those of Sun et al. (arXiv:2507.00075v4), section 3.
    """
    require_float64("simulate")
    ts = checked_times(ts, dynamics.t0)
    dynamics = as_floats(dynamics)
    t0, y0 = jnp.asarray(dynamics.t0), dynamics.initial_state
    solution = diffrax.diffeqsolve(
        diffrax.ODETerm(vector_field),
        ode_solver,
        t0=t0,
        t1=ts[-1],
        dt0=dt0,
        y0=y0,
        args=dynamics,
        saveat=diffrax.SaveAt(ts=ts) if saveat is None else saveat,
        stepsize_controller=stepsize_controller,
        adjoint=diffrax.RecursiveCheckpointAdjoint() if adjoint is None else adjoint,
        max_steps=max_steps,
        throw=throw,
    )
    if saveat is not None:
        return solution
    assert solution.ys is not None
    ys = jnp.where(ts[-1] > t0, solution.ys, at_once(dynamics, t0, y0, ts))
    return eqx.tree_at(lambda solved: solved.ys, solution, ys)


def at_once(
    dynamics: AbstractDynamics,
    t0: RealScalar,
    y0: Float[Array, "2"],
    ts: Float[Array, " times"],
) -> Float[Array, "times 2"]:
    """The states at `ts` if all of them are `t0`: then a solver takes no step and has no gradient.

    An Euler step has one.
    """
    return y0 + (ts - t0)[:, None] * dynamics.vector_field(t0, y0)


def checked_times(ts: Float[Array, " times"], t0: RealScalar) -> Float[Array, " times"]:
    """Times as floats; an error unless they are one-dimensional, finite, ordered and >= t0."""
    ts = jnp.asarray(ts, dtype=float)
    if ts.ndim != 1:
        raise ValueError(f"ts must have one dimension, got shape {ts.shape}")
    if not ts.size:
        raise ValueError("ts must have at least one time, got none")
    if not isinstance(ts, Tracer):
        known = np.asarray(ts)  # not jnp, which would be traced inside an enclosing jit
        if not np.isfinite(known).all():
            raise ValueError(f"ts must be finite, got {known.tolist()}")
        if (np.diff(known) < 0).any():
            raise ValueError(f"ts must increase, got {known.tolist()}")
    early = ts < t0
    if not isinstance(early, Tracer) and early.any():
        raise ValueError(f"{BEFORE_T0}, {float(t0)}: got {float(ts.min())}")
    return ts


def vector_field(t: Any, y: Float[Array, "2"], args: PyTree) -> Float[Array, "2"]:
    """The vector field of the law passed as `args`."""
    return args.vector_field(t, y)
