r"""Potentials: how fast the gap closes, as a function of the gap alone.

The theory says $dU_s/dt = -\alpha f(G)$ and $dU_v/dt = -\beta f(G)$ with $G = U_s - U_v$, so the
gap obeys an equation of its own, $dG/dt = -F(G)$ with $F = (\alpha - \beta) f$. Measured curves
identify $F$, but not the factor and $f$ separately. A potential is $F$, in parameters that the data
can identify, together with the closed-form solution of $dG/dt = -F(G)$ where there is one.
"""

import abc

import equinox as eqx
import jax.numpy as jnp
from equinox import AbstractVar
from jaxtyping import Array, Float

from jaxgap.dynamics.types import RealScalar


class AbstractPotential(eqx.Module):
    """A law `dG/dt = -F(G)` that drives the gap from its initial value to `gap_limit`."""

    gap_limit: AbstractVar[RealScalar]

    @abc.abstractmethod
    def closing_speed(self, gap: RealScalar, gap_initial: RealScalar) -> Float[Array, ""]:
        """`F(G) = -dG/dt` at `gap`, on the trajectory that began at `gap_initial`."""

    def remaining(self, gap: RealScalar, gap_initial: RealScalar) -> Float[Array, ""]:
        r"""The fraction of the initial excess that is left at `gap`.

        $$y = \frac{G - G_\infty}{G_0 - G_\infty},$$

        and zero for a run that begins at its limit, where this is 0/0.
        """
        excess = jnp.asarray(gap_initial - self.gap_limit)
        moving = excess != 0
        return jnp.where(moving, (gap - self.gap_limit) / jnp.where(moving, excess, 1.0), 0.0)


class AbstractClosedFormPotential(AbstractPotential):
    """A potential with closed forms for the gap at a given time and the time of a given gap."""

    rate: AbstractVar[RealScalar]

    @abc.abstractmethod
    def remaining_after(self, elapsed: Float[Array, "..."]) -> Float[Array, "..."]:
        """The fraction of the initial excess that is left after a finite time `elapsed >= 0`."""

    def gap_at(self, elapsed: Float[Array, "..."], gap_initial: RealScalar) -> Float[Array, "..."]:
        """The gap `elapsed >= 0` time units after it was `gap_initial`: its limit at infinity."""
        elapsed = jnp.asarray(elapsed)
        # A derivative at infinity would be that time multiplied by zero.
        ended = jnp.isinf(elapsed)
        remaining = self.remaining_after(jnp.where(ended, 0.0, elapsed))
        remaining = jnp.where(ended & (self.rate > 0), 0.0, remaining)
        return self.gap_limit + (gap_initial - self.gap_limit) * remaining

    @abc.abstractmethod
    def time_until(self, remaining: RealScalar) -> Float[Array, ""]:
        """How long until the fraction `remaining` of the initial excess is left, > 0 and <= 1.

        Every fit traces this, as one of the numbers that its intervals are searched for.
        """

    def time_to(self, gap: RealScalar, gap_initial: RealScalar) -> Float[Array, ""]:
        """How long the gap takes from `gap_initial` to `gap`, a value that it passes."""
        return self.time_until((gap - self.gap_limit) / (gap_initial - self.gap_limit))

    @abc.abstractmethod
    def restarted(self, gap: RealScalar, gap_initial: RealScalar) -> "AbstractClosedFormPotential":
        """The same law $F$ for a run that begins at `gap`, where this one began at `gap_initial`.

        Parameters defined relative to the initial gap, such as an initial rate, change with it:
        `restarted(g, g0).closing_speed(x, g) == closing_speed(x, g0)` for every `x`.
        """
