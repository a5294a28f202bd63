r"""Potentials: how fast the gap closes, as a function of the gap alone.

The theory says $dU_s/dt = -\alpha f(G)$ and $dU_v/dt = -\beta f(G)$ with $G = U_s - U_v$, so the
gap obeys an equation of its own, $dG/dt = -F(G)$ with $F = (\alpha - \beta) f$. The factor and $f$
cannot be told apart from measured curves; $F$ can. A potential is $F$, in parameters that the data
can identify, and where $dG/dt = -F(G)$ is solved in closed form it knows that solution too.
"""

import abc

import equinox as eqx
from equinox import AbstractVar
from jaxtyping import Array, Float

from jaxgap.dynamics.types import RealScalar


class AbstractPotential(eqx.Module):
    """A law `dG/dt = -F(G)` that drives the gap from its initial value to `gap_limit`."""

    gap_limit: AbstractVar[RealScalar]

    @abc.abstractmethod
    def closing_speed(self, gap: RealScalar, gap_initial: RealScalar) -> Float[Array, ""]:
        """`F(G) = -dG/dt` at `gap`, on the trajectory that began at `gap_initial`."""


class AbstractClosedFormPotential(AbstractPotential):
    """A potential whose gap is known as a function of time, and time as a function of the gap."""

    @abc.abstractmethod
    def gap_at(self, elapsed: Float[Array, "..."], gap_initial: RealScalar) -> Float[Array, "..."]:
        """The gap after `elapsed >= 0` time units, having begun at `gap_initial`."""

    @abc.abstractmethod
    def time_to(self, gap: RealScalar, gap_initial: RealScalar) -> Float[Array, ""]:
        """How long the gap takes from `gap_initial` to `gap`, which lies on its way."""

    @abc.abstractmethod
    def restarted(self, gap: RealScalar, gap_initial: RealScalar) -> "AbstractClosedFormPotential":
        """The same law $F$ for a run that begins at `gap`, where this one's began at `gap_initial`.

        Parameters that refer to the initial gap, such as a relative rate at first, change with it:
        `restarted(g, g0).closing_speed(x, g) == closing_speed(x, g0)` for every `x`.
        """
