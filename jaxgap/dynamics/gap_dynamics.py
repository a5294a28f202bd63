"""Dynamics driven by the gap: a potential closes it, and a coupling splits the change."""

import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from jaxgap.dynamics.abstract_dynamics import AbstractDynamics, Limits
from jaxgap.dynamics.coupling import AbstractCoupling
from jaxgap.dynamics.potential import AbstractClosedFormPotential, AbstractPotential
from jaxgap.dynamics.types import RealScalar


class GapDynamics(AbstractDynamics):
    r"""The theory's law of motion, for any potential and any coupling.

    $$\frac{dG}{dt} = -F(G), \qquad \frac{dU_s}{dt} = \frac{dU_s}{dG}\frac{dG}{dt}, \qquad
      \frac{dU_v}{dt} = \frac{dU_s}{dt} - \frac{dG}{dt}, \qquad G = U_s - U_v.$$

    With the paper's choices, :class:`LinearPotential` and :class:`RankOneCoupling`, these are

    $$U_s(t) = U_{s,\infty} + \frac{\delta}{1-r} e^{-\kappa t}, \qquad
      U_v(t) = U_{v,\infty} + \frac{r\,\delta}{1-r} e^{-\kappa t}.$$

    **Arguments:**

    - `potential`: $F$, an :class:`AbstractPotential`.
    - `coupling`: $dU_s/dG$, an :class:`AbstractCoupling`.
    - `solver_initial`, `verifier_initial`: $U_s$ and $U_v$ at `t0`, in nats, or as error rates.
    - `t0`: the time of the initial values, in time units.

    **Example:**

    >>> from jaxgap.dynamics import LinearPotential, RankOneCoupling
    >>> dynamics = GapDynamics(
    ...     LinearPotential(rate=0.5, gap_limit=0.0), RankOneCoupling(ratio=0.5), 4.0, 2.0
    ... )
    >>> dynamics.limits().solver.item()
    0.0
    >>> dynamics.closed_form(jnp.array([0.0, 1.0])).shape
    (2, 2)

    Source: Sun et al. (arXiv:2507.00075v4), section 4, in parameters that curves can identify,
    which alpha, beta, k and b are not.
    """

    potential: AbstractPotential
    coupling: AbstractCoupling
    solver_initial: RealScalar
    verifier_initial: RealScalar
    t0: RealScalar = 0.0

    def vector_field(
        self, t: RealScalar, y: Float[Array, "2"], args: PyTree = None
    ) -> Float[Array, "2"]:
        """`[dU_s/dt, dU_v/dt]` at `y = [U_s, U_v]`; time enters only through the state."""
        del t, args
        gap = y[0] - y[1]
        gap_rate = -self.potential.closing_speed(gap, self.gap_initial)
        return self.coupling.rates_at(gap, gap_rate)

    def closed_form(self, ts: Float[Array, "*times"]) -> Float[Array, "*times 2"]:
        """`[U_s, U_v]` at each of `ts >= t0`.

        **Raises:**

        `ValueError` if the potential has no closed form; use :func:`jaxgap.dynamics.simulate`.
        """
        potential = self.potential
        if not isinstance(potential, AbstractClosedFormPotential):
            raise ValueError(
                f"{type(potential).__name__} has no closed form: use jaxgap.dynamics.simulate"
            )
        gap = potential.gap_at(jnp.asarray(ts) - self.t0, self.gap_initial)
        return self._state_at(gap)

    def limits(self) -> Limits:
        """`U_s_inf`, `U_v_inf` and `G_inf`: where the gap has reached its limit."""
        gap = jnp.asarray(self.potential.gap_limit)
        solver, verifier = self._state_at(gap)
        return Limits(solver, verifier, gap)

    def _state_at(self, gap: Float[Array, "..."]) -> Float[Array, "... 2"]:
        return self.coupling.state_at(gap, self.solver_initial, self.verifier_initial)
