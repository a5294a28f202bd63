r"""Couplings: how a change of the gap is split between the solver and the verifier.

A potential moves the gap; the coupling is the curve in the $(U_s, U_v)$ plane along which the
model moves meanwhile. In the paper that curve is a straight line, whatever the potential.
"""

import abc

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxgap.dynamics.types import RealScalar


class AbstractCoupling(eqx.Module):
    """The solver's capability as a function of the gap."""

    @abc.abstractmethod
    def solver_slope(self, gap: RealScalar) -> Float[Array, ""]:
        """`dU_s / dG` at `gap`."""

    @abc.abstractmethod
    def solver_change(
        self, gap: Float[Array, "..."], gap_initial: RealScalar
    ) -> Float[Array, "..."]:
        """`U_s - U_s(t0)` once the gap has gone from `gap_initial` to `gap`."""

    def state_at(
        self, gap: Float[Array, "..."], solver_initial: RealScalar, verifier_initial: RealScalar
    ) -> Float[Array, "... 2"]:
        """`[U_s, U_v]` when a run from these initial values has reached the gap `gap`."""
        solver = solver_initial + self.solver_change(gap, solver_initial - verifier_initial)
        return jnp.stack([solver, solver - gap], axis=-1)

    def rates_at(self, gap: RealScalar, gap_rate: RealScalar) -> Float[Array, "2"]:
        """`[dU_s/dt, dU_v/dt]` where the gap is `gap` and changes at `dG/dt = gap_rate`."""
        solver_rate = self.solver_slope(gap) * gap_rate
        return jnp.stack([solver_rate, solver_rate - gap_rate])


class RankOneCoupling(AbstractCoupling):
    r"""The paper's coupling: solver and verifier move in a constant ratio.

    $$\frac{dU_v}{dU_s} = r = \frac{\beta}{\alpha}, \qquad
      \frac{dU_s}{dG} = \frac{1}{1 - r}.$$

    It follows that $U_v - r U_s$ is conserved, for any potential.

    **Arguments:**

    - `ratio`: $r$ in [0, 1). At 0 the verifier stands still; near 1 the gap cannot close.

    **Example:**

    >>> float(RankOneCoupling(ratio=0.5).solver_change(1.0, gap_initial=4.0))
    -6.0

    Source: Sun et al. (arXiv:2507.00075v4), section 4, divided by alpha.
    """

    ratio: RealScalar

    def solver_slope(self, gap: RealScalar) -> Float[Array, ""]:
        del gap
        return 1 / (1 - jnp.asarray(self.ratio))

    def solver_change(
        self, gap: Float[Array, "..."], gap_initial: RealScalar
    ) -> Float[Array, "..."]:
        return jnp.asarray((gap - gap_initial) / (1 - self.ratio))
