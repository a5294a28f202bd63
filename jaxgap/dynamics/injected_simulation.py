"""Any law of motion with external data, integrated by Diffrax from jump to jump.

It is for laws without a closed form, and :mod:`jaxgap.dynamics.injected_dynamics` is tested against
it. One solve covers one segment and a scan runs over the segments, so that the solver is traced and
compiled once whatever the number of jumps.
"""

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxgap.dynamics.abstract_dynamics import AbstractDynamics
from jaxgap.dynamics.external_data import ExternalData
from jaxgap.dynamics.simulation import (
    BEFORE_T0,
    DEFAULT_CONTROLLER,
    DEFAULT_ODE_SOLVER,
    at_once,
    checked_times,
    vector_field,
)
from jaxgap.dynamics.types import as_floats, require_float64


def simulate_injected(
    dynamics: AbstractDynamics,
    external: ExternalData,
    ts: Float[Array, " times"],
    *,
    ode_solver: diffrax.AbstractSolver = DEFAULT_ODE_SOLVER,
    stepsize_controller: diffrax.AbstractStepSizeController = DEFAULT_CONTROLLER,
    adjoint: diffrax.AbstractAdjoint | None = None,
    max_steps: int = 4096,
) -> Float[Array, "times 2"]:
    r"""Integrate a law of motion with jumps of the verifier, and return its states.

    $$\dot y = f(t, y) \ \text{for}\ t \ne t_j, \qquad
      U_v(t_j^+) = \frac{U_v(t_j^-)}{1 + \gamma\eta_j}.$$

    **Arguments:**

    - `dynamics`: any law, with its initial values at `dynamics.t0`.
    - `external`: the jumps.
    - `ts`: increasing times, shape `(times,)`, none before `dynamics.t0`. At the time of a jump,
        the state before it is returned.
    - `ode_solver`: default `diffrax.Tsit5()`.
    - `stepsize_controller`: default `diffrax.PIDController(rtol=1e-9, atol=1e-12)`.
    - `adjoint`: default `diffrax.RecursiveCheckpointAdjoint()`, for reverse mode. Forward mode
        needs `diffrax.ForwardMode()`.
    - `max_steps`: the most steps taken in one segment.

    **Returns:**

    States `[U_s, U_v]`, shape `(times, 2)`.

    **Raises:**

    `ValueError` if 64-bit floats are off (32 bits are too coarse for the default tolerances), or if
    `ts` is empty, not one-dimensional, not finite, out of order, or has a time before `dynamics.t0`
    (of the values, a compiled function checks only the last, at run time). A failed solve raises
    Diffrax's error.

    **Example:**

    >>> from jaxgap.dynamics import GapDynamics, LinearPotential, RankOneCoupling
    >>> dynamics = GapDynamics(LinearPotential(0.5, 0.0), RankOneCoupling(0.5), 5.0, 3.0)
    >>> with jax.enable_x64(True):
    ...     external = ExternalData(jnp.array([1.0]), jnp.array([1.0]), 0.2)
    ...     ys = simulate_injected(dynamics, external, jnp.array([0.0, 1.0, 2.0]))
    >>> [f"{verifier:.4f}" for verifier in ys[:, 1].tolist()]
    ['3.0000', '2.2131', '1.2218']

    The jump is from section 5 of Sun et al. (arXiv:2507.00075v4).
    """
    require_float64("simulate_injected")
    ts = checked_times(ts, dynamics.t0)
    if adjoint is None:
        adjoint = diffrax.RecursiveCheckpointAdjoint()
    how = (ode_solver, stepsize_controller, adjoint, max_steps)
    return _simulate(as_floats(dynamics), as_floats(external), ts, *how)


@eqx.filter_jit
def _simulate(dynamics, external, ts, ode_solver, stepsize_controller, adjoint, max_steps):
    """Jitted, as a scan outside of jit is compiled anew at every call."""
    external = external.checked(dynamics.t0)
    ts = eqx.error_if(ts, ts < dynamics.t0, BEFORE_T0)
    segment = jnp.searchsorted(jax.lax.stop_gradient(external.times), ts, side="left")

    def solve(t_from, t_to, y, index):
        # Times outside the segment are saved at its ends and discarded later. Those inside are not
        # clipped: for a time equal to an end, clip would split the gradient between the two.
        clipped = jax.lax.stop_gradient(jnp.clip(ts, t_from, t_to))
        inside = jnp.where(segment == index, ts, clipped)
        solution = diffrax.diffeqsolve(
            diffrax.ODETerm(vector_field),
            ode_solver,
            t0=t_from,
            t1=t_to,
            dt0=None,
            y0=y,
            args=dynamics,
            saveat=diffrax.SaveAt(subs=(diffrax.SubSaveAt(t1=True), diffrax.SubSaveAt(ts=inside))),
            stepsize_controller=stepsize_controller,
            adjoint=adjoint,
            max_steps=max_steps,
        )
        assert solution.ys is not None
        still = at_once(dynamics, t_from, y, jnp.append(t_to, inside))
        return jnp.where(t_to > t_from, jnp.concatenate(solution.ys), still)

    def step(y, piece):
        t_from, t_to, fall, index = piece
        ys = solve(t_from, t_to, y, index)
        return ys[0] * jnp.stack([jnp.ones_like(fall), 1 - fall]), ys[1:]

    starts = jnp.append(jnp.asarray(dynamics.t0), external.times)
    ends = jnp.append(external.times, jnp.maximum(ts[-1], starts[-1]))
    falls = jnp.append(external.fall(), 0.0)
    pieces = (starts, ends, falls, jnp.arange(starts.size, dtype=segment.dtype))
    _, by_segment = jax.lax.scan(step, dynamics.initial_state, pieces)
    return by_segment[segment, jnp.arange(ts.size)]
