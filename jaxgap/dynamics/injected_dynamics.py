r"""A law of motion with external data: exact between the jumps and in the limit.

Between two jumps the run follows the same law of motion, from a new state. A linear law has no
memory, so its next segment is the same closed form from the state after the jump. The parameters of
other potentials are relative to the initial gap: the rate of the power law is that at the initial
excess. So each segment is a run of its own whose potential is the same law, reparametrised for the
gap at which the segment begins.

The limit is at the end of the coupling's path from the state after the last jump. With the paper's
coupling that is a sum over jumps: $C = U_v - r U_s$ is conserved between them, each subtracts
$\gamma\eta_j/(1+\gamma\eta_j)\,U_v(t_j^-)$ from it, and at the limit $U_s - U_v = G_\infty$. A
jump can also bring a run to a standstill (:class:`LaggedPotential`): its limit is then where it
stands.
"""

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from jaxgap.dynamics.abstract_dynamics import Limits
from jaxgap.dynamics.coupling import RankOneCoupling
from jaxgap.dynamics.external_data import ExternalData
from jaxgap.dynamics.gap_dynamics import GapDynamics
from jaxgap.dynamics.potential import AbstractClosedFormPotential
from jaxgap.dynamics.types import RealScalar, as_floats
from jaxgap.dynamics.validity import Validity


class _Entry(NamedTuple):
    """The time and the state `[U_s, U_v]` at which a segment begins."""

    t: Float[Array, "..."]
    y: Float[Array, "... 2"]


class InjectedDynamics(eqx.Module):
    r"""A law of motion, interrupted by injections of external data.

    $$U_{s,\infty} = \frac{U_v(t_0) - r U_s(t_0) + G_\infty
      - \sum_j \frac{\gamma\eta_j}{1 + \gamma\eta_j} U_v(t_j^-)}{1 - r}.$$

    Every result is differentiable with respect to the times, the shares, the strength and every
    parameter of the dynamics, in forward and reverse mode.

    **Arguments:**

    - `dynamics`: a :class:`GapDynamics` with a closed form. For any other law use
        :func:`jaxgap.dynamics.injected_simulation.simulate_injected`.
    - `external`: the jumps.

    **Raises:**

    `ValueError` if the potential has no closed form.

    **Example:**

    >>> from jaxgap.dynamics import GapDynamics, LinearPotential, RankOneCoupling
    >>> dynamics = GapDynamics(LinearPotential(0.5, 0.0), RankOneCoupling(0.5), 5.0, 3.0)
    >>> external = ExternalData(jnp.array([0.0]), jnp.array([1.0]), strength=0.2)
    >>> run = InjectedDynamics(dynamics, external)
    >>> round(dynamics.limits().solver.item(), 6), round(run.limits().solver.item(), 6)
    (1.0, 0.0)

    The jump is from section 5 of Sun et al. (arXiv:2507.00075v4). The paper gives the limit only
    approximately (:meth:`proposition_5_1`); the exact one is derived here.
    """

    dynamics: GapDynamics
    external: ExternalData

    def __check_init__(self):
        if not isinstance(self.dynamics.potential, AbstractClosedFormPotential):
            raise ValueError(
                f"{type(self.dynamics.potential).__name__} has no closed form: use "
                "jaxgap.dynamics.injected_simulation.simulate_injected"
            )

    def closed_form(self, ts: Float[Array, "*times"]) -> Float[Array, "*times 2"]:
        """`[U_s, U_v]` at each of `ts >= t0`; at the time of a jump, the state before it."""
        ts = jnp.asarray(ts, float)
        flat = ts.ravel()
        entries, _ = self._segments()
        segment = jnp.searchsorted(jax.lax.stop_gradient(entries.t[1:]), flat, side="left")
        entry = jax.tree.map(lambda leaf: leaf[segment], entries)
        return jax.vmap(self._after)(entry, flat).reshape(*ts.shape, 2)

    def limits(self) -> Limits:
        """The exact limits of the solver, the verifier and the gap after the last jump.

        If the run stands still after that jump, they are where it stands.
        """
        entries, _ = self._segments()
        return self._limits_after(entries)

    def unchecked_limits(self) -> Limits:
        """The same for jumps known to be in order; nonsense for others.

        A runtime check calls the host, and a program with host callbacks cannot be cached on disk.
        """
        run = as_floats(self)
        entries, _ = run._scanned_segments()
        return run._limits_after(entries)

    def proposition_5_1(self) -> Limits:
        r"""The limits if the verifier did not move between the injections.

        $$U_{s,\infty} \approx \frac{1}{1 - r}\Big(\frac{U_v(t_0)}{1 + \gamma\sum_j\eta_j}
          - r U_s(t_0) + G_\infty\Big)$$

        depends on $\sum_j \eta_j$ alone. It is exact for one injection at `t0` and overstates the
        effect of a single later one, which has less uncertainty to divide; several can do more than
        it says, since $(1 + \gamma / n)^n > 1 + \gamma$.

        **Raises:**

        `ValueError` if the coupling is not a :class:`RankOneCoupling`.

        Source: Sun et al. (arXiv:2507.00075v4), Proposition 5.1, which is stated to first order;
        the denominator, rather than $1 - \gamma\sum\eta$, keeps it exact in that one case.
        """
        coupling = self.dynamics.coupling
        if not isinstance(coupling, RankOneCoupling):
            raise ValueError(
                f"dynamics.coupling must be a RankOneCoupling, got {type(coupling).__name__}: "
                "the proposition is about a constant ratio"
            )
        external = as_floats(self.external)
        dose = external.strength * jnp.sum(external.shares)
        taken = dose / (1 + dose) * self.dynamics.verifier_initial
        solver, verifier, gap = self.dynamics.limits()
        drop = taken / (1 - coupling.ratio)
        return Limits(solver - drop, verifier - drop, gap)

    def validity(self) -> Validity:
        """Whether the model still makes sense for this run; never raises if it does not."""
        entries, before = self._segments()
        limits = self._limits_after(entries)
        start = self.dynamics.initial_state
        gaps = entries.y[:, 0] - entries.y[:, 1]
        excess = gaps - self.dynamics.potential.gap_limit
        # dU_s/dG = 1 / (1 - r) is infinite at r = 1 and negative beyond. Between two jumps the gap
        # moves one way, so that a ratio monotone in it is highest at an end.
        ends = jnp.append(gaps, limits.gap)
        slopes = jax.vmap(self.dynamics.coupling.solver_slope)(ends)
        return Validity(
            solver=(start[0] >= 0) & (limits.solver >= 0),
            verifier=(start[1] >= 0) & jnp.all(before[:, 1] >= 0) & (limits.verifier >= 0),
            gap=jnp.all(excess >= -self._round_off(entries)),
            moving=~jnp.any(self._stuck(entries)),
            ratio=jnp.all(slopes > 0) & jnp.all(jnp.isfinite(slopes)),
        )

    def _segments(self) -> tuple[_Entry, Float[Array, "rounds 2"]]:
        """Where each segment begins, `t0` first, and the states before the jumps."""
        law = as_floats(self.dynamics)
        return InjectedDynamics(law, self.external.checked(law.t0))._scanned_segments()

    # Jitted, as a scan outside of jit is compiled anew at every call.
    @eqx.filter_jit
    def _scanned_segments(self) -> tuple[_Entry, Float[Array, "rounds 2"]]:
        external = self.external
        first = _Entry(jnp.asarray(self.dynamics.t0), self.dynamics.initial_state)

        def step(entry: _Entry, jump):
            t, fall = jump
            before = self._after(entry, t)
            after = _Entry(t, before * jnp.stack([jnp.ones_like(fall), 1 - fall]))
            return after, (after, before)

        _, (entries, before) = jax.lax.scan(step, first, (external.times, external.fall()))
        entries = jax.tree.map(lambda one, all_: jnp.concatenate([one[None], all_]), first, entries)
        return entries, before

    def _limits_after(self, entries: _Entry) -> Limits:
        """The limits of the last segment."""
        last = entries.y[-1]
        gap = jnp.where(
            self._stuck(entries)[-1], last[0] - last[1], self.dynamics.potential.gap_limit
        )
        solver, verifier = self.dynamics.coupling.state_at(gap, *last)
        return Limits(solver, verifier, gap)

    def _stuck(self, entries: _Entry) -> Bool[Array, " segments"]:
        """Which segments stand still away from their limit."""
        potential = self.dynamics.potential
        gaps = entries.y[:, 0] - entries.y[:, 1]
        speeds = jax.vmap(lambda gap: potential.closing_speed(gap, self.dynamics.gap_initial))(gaps)
        return (speeds == 0) & (jnp.abs(gaps - potential.gap_limit) > self._round_off(entries))

    def _round_off(self, entries: _Entry) -> Float[Array, ""]:
        """How far a gap that has reached its limit may be from it, on either side, by round-off."""
        return 4 * jnp.finfo(entries.y.dtype).eps * jnp.max(jnp.abs(entries.y))

    def _after(self, entry: _Entry, t: RealScalar) -> Float[Array, "2"]:
        """The state at `t` in the segment that began at `entry`."""
        potential = self.dynamics.potential
        assert isinstance(potential, AbstractClosedFormPotential)
        gap_entered = entry.y[0] - entry.y[1]
        potential = potential.restarted(gap_entered, self.dynamics.gap_initial)
        gap = potential.gap_at(jnp.asarray(t - entry.t), gap_entered)
        return self.dynamics.coupling.state_at(gap, *entry.y)
