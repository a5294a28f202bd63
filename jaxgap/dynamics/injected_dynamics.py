r"""A law of motion with external data: exact between the jumps, exact at their limit.

Between two jumps the run follows the law of motion as before, from a new state. A linear law
forgets where it came from, so its next segment is the same closed form from the state after the
jump. The parameters of other potentials refer to the gap at the very beginning: the rate of the
power law is that of the first excess. There the segment is not a new run with the same numbers but
the **same curve entered elsewhere**: the law is autonomous, so the gap after a jump is one that the
undisturbed curve passes (or passed, before `t0`) at another time, and the run goes on from there.

The limit needs no segment at all. $C = U_v - r U_s$ is conserved between jumps, each jump takes
$\gamma\eta_j/(1+\gamma\eta_j)\,U_v(t_j^-)$ from it, and at the limit $U_s - U_v = G_\infty$.
"""

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxgap.dynamics.abstract_dynamics import Limits
from jaxgap.dynamics.coupling import RankOneCoupling
from jaxgap.dynamics.external_data import ExternalData
from jaxgap.dynamics.gap_dynamics import GapDynamics
from jaxgap.dynamics.linear_potential import LinearPotential
from jaxgap.dynamics.potential import AbstractClosedFormPotential
from jaxgap.dynamics.types import RealScalar
from jaxgap.dynamics.validity import Validity


class _Entry(NamedTuple):
    """The state `[U_s, U_v]` at which a segment begins, and when."""

    t: Float[Array, "..."]
    y: Float[Array, "... 2"]


class InjectedDynamics(eqx.Module):
    r"""A law of motion, interrupted by injections of external data.

    $$U_{s,\infty} = \frac{U_v(t_0) - r U_s(t_0) + G_\infty
      - \sum_j \frac{\gamma\eta_j}{1 + \gamma\eta_j} U_v(t_j^-)}{1 - r}.$$

    Every result is differentiable with respect to the times, the shares, the strength and every
    parameter of the dynamics, in forward and in reverse mode.

    **Arguments:**

    - `dynamics`: a :class:`GapDynamics` with a closed form. For any other law there is
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

    The jump is in section 5 of Sun et al. (arXiv:2507.00075v4). The paper has its limit only
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

    def states_before(self) -> Float[Array, "rounds 2"]:
        """`[U_s, U_v]` just before each jump, which is when that round is measured."""
        return self._segments()[1]

    def closed_form(self, ts: Float[Array, " times"]) -> Float[Array, "times 2"]:
        """`[U_s, U_v]` at each of `ts >= t0`; at the time of a jump, the state before it."""
        ts = jnp.asarray(ts, float)
        entries, _ = self._segments()
        segment = jnp.searchsorted(jax.lax.stop_gradient(entries.t[1:]), ts, side="left")
        entry = jax.tree.map(lambda leaf: leaf[segment], entries)
        return jax.vmap(self._after)(entry, ts)

    def limits(self) -> Limits:
        """Where the solver, the verifier and the gap go after the last jump, exactly.

        **Raises:**

        `ValueError` if the coupling is not a :class:`RankOneCoupling`.
        """
        external = self.external.checked(self.dynamics.t0)
        taken = jnp.sum(external.fall() * self.states_before()[:, 1])
        return self._limits_without(taken)

    def proposition_5_1(self) -> Limits:
        r"""The limits as if the verifier did not move between the injections.

        $$U_{s,\infty} \approx \frac{1}{1 - r}\Big(\frac{U_v(t_0)}{1 + \gamma\sum_j\eta_j}
          - r U_s(t_0) + G_\infty\Big)$$

        depends on $\sum_j \eta_j$ alone. It is exact for one injection at `t0`, and otherwise says
        too much: later there is less uncertainty for an injection to divide.

        **Raises:**

        `ValueError` if the coupling is not a :class:`RankOneCoupling`.

        Source: Sun et al. (arXiv:2507.00075v4), Proposition 5.1, which is stated to first order;
        the denominator, rather than $1 - \gamma\sum\eta$, keeps it exact in that one case.
        """
        external = self.external.checked(self.dynamics.t0)
        dose = external.strength * jnp.sum(external.shares)
        return self._limits_without(dose / (1 + dose) * self.dynamics.verifier_initial)

    def validity(self) -> Validity:
        """Whether the model still means anything here; it never raises for that."""
        entries, before = self._segments()
        limits = self.limits()
        start = self.dynamics.initial_state
        gaps = entries.y[:, 0] - entries.y[:, 1]
        return Validity(
            solver=(start[0] >= 0) & (limits.solver >= 0),
            verifier=(start[1] >= 0) & jnp.all(before[:, 1] >= 0) & (limits.verifier >= 0),
            gap=jnp.all(gaps >= limits.gap),
        )

    def _limits_without(self, taken: Float[Array, ""]) -> Limits:
        """The limits of the undisturbed law, less what the jumps took from the verifier."""
        coupling = self.dynamics.coupling
        if not isinstance(coupling, RankOneCoupling):
            raise ValueError(
                f"dynamics.coupling must be a RankOneCoupling, got {type(coupling).__name__}: "
                "only with a constant ratio is the limit known in closed form"
            )
        solver, verifier, gap = self.dynamics.limits()
        drop = taken / (1 - coupling.ratio)
        return Limits(solver - drop, verifier - drop, gap)

    def _segments(self) -> tuple[_Entry, Float[Array, "rounds 2"]]:
        """Where each segment begins, `t0` first, and the states before the jumps."""
        external = self.external.checked(self.dynamics.t0)
        first = _Entry(jnp.asarray(self.dynamics.t0, float), self.dynamics.initial_state)

        def step(entry: _Entry, jump):
            t, fall = jump
            before = self._after(entry, t)
            after = _Entry(t, before * jnp.stack([jnp.ones_like(fall), 1 - fall]))
            return after, (after, before)

        _, (entries, before) = jax.lax.scan(step, first, (external.times, external.fall()))
        entries = jax.tree.map(lambda one, all_: jnp.concatenate([one[None], all_]), first, entries)
        return entries, before

    def _after(self, entry: _Entry, t: RealScalar) -> Float[Array, "2"]:
        """The state at `t` of the segment that began at `entry`."""
        gap_entered = entry.y[0] - entry.y[1]
        gap = self._gap_after(t - entry.t, gap_entered)
        solver = entry.y[0] + self.dynamics.coupling.solver_change(gap, gap_entered)
        return jnp.stack([solver, solver - gap])

    def _gap_after(self, elapsed: RealScalar, gap: Float[Array, ""]) -> Float[Array, ""]:
        """The gap, `elapsed` after it was `gap`, whether or not the first curve passed there."""
        potential, gap_initial = self.dynamics.potential, self.dynamics.gap_initial
        assert isinstance(potential, AbstractClosedFormPotential)
        elapsed = jnp.asarray(elapsed)
        if isinstance(potential, LinearPotential):
            return potential.gap_at(elapsed, gap)
        # A gap on the other side of its limit is on no curve of this run: there it stands still.
        on_curve = (gap - potential.gap_limit) * (gap_initial - potential.gap_limit) > 0
        passed = potential.time_to(jnp.where(on_curve, gap, gap_initial), gap_initial)
        return jnp.where(on_curve, potential.gap_at(passed + elapsed, gap_initial), gap)
