"""The power potential: a gap that closes ever more slowly than an exponential would.

Accuracy curves of reinforcement-learning runs approach their ceiling as a power of time more often
than exponentially. Raising the gap's excess to a power q > 1 gives just that inside the same
theory, and q = 1 is the exponential again. The closed form has the indeterminate shape
(1 + 0)^(1/0) there, so it is written through log1p(u)/u, which is smooth.
"""

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from jaxgap.dynamics.potential import AbstractClosedFormPotential
from jaxgap.dynamics.smooth_ratios import expm1_ratio, log1p_ratio
from jaxgap.dynamics.types import RealScalar


class PowerPotential(AbstractClosedFormPotential):
    r"""A power of the gap's excess drives the gap, which then decays as a power of time.

    $$\frac{dG}{dt} = -\kappa\,\delta \Big(\frac{G - G_\infty}{\delta}\Big)^q, \qquad
      \frac{G(t) - G_\infty}{\delta} = \big(1 + (q - 1)\kappa t\big)^{-1/(q-1)},
      \quad \delta = G_0 - G_\infty.$$

    In the theory's symbols $E = k (G - G_\infty)^q$. Dividing by $\delta$ gives the rate the unit
    of an inverse time whatever $q$ is, and extends the law to a gap that grows towards its limit
    ($\delta < 0$).

    **Arguments:**

    - `rate`: $\kappa > 0$, the relative rate at which the excess decays at first, per time unit;
        that is $k (\alpha - \beta) \delta^{q-1}$.
    - `gap_limit`: $G_\infty$, in the unit of the capabilities.
    - `exponent`: $q \ge 1$; at 1 this is :class:`LinearPotential`.

    **Example:**

    >>> potential = PowerPotential(rate=0.5, gap_limit=0.0, exponent=2.0)
    >>> float(potential.gap_at(2.0, gap_initial=4.0))
    2.0

    The paper names the general potential and fits the linear one; the power, and its closed form,
    are worked out here.
    """

    rate: RealScalar
    gap_limit: RealScalar
    exponent: RealScalar

    def closing_speed(self, gap: RealScalar, gap_initial: RealScalar) -> Float[Array, ""]:
        ahead, remaining = self._remaining(gap, gap_initial)
        speed = self.rate * (gap_initial - self.gap_limit) * remaining**self.exponent
        return jnp.where(ahead, speed, 0.0)

    def gap_at(self, elapsed: Float[Array, "..."], gap_initial: RealScalar) -> Float[Array, "..."]:
        scaled = self.rate * jnp.asarray(elapsed)
        remaining = jnp.exp(-scaled * log1p_ratio((self.exponent - 1) * scaled))
        return self.gap_limit + (gap_initial - self.gap_limit) * remaining

    def time_to(self, gap: RealScalar, gap_initial: RealScalar) -> Float[Array, ""]:
        remaining = (gap - self.gap_limit) / (gap_initial - self.gap_limit)
        # A gap that rounds to the limit is never reached; infinity has no ratio.
        never = jnp.asarray(remaining == 0)
        folds = -jnp.log(jnp.where(never, 1.0, remaining))
        elapsed = folds * expm1_ratio((self.exponent - 1) * folds) / self.rate
        return jnp.where(never, jnp.inf, elapsed)

    def restarted(self, gap: RealScalar, gap_initial: RealScalar) -> "PowerPotential":
        ahead, remaining = self._remaining(gap, gap_initial)
        rate = jnp.where(ahead, self.rate * remaining ** (self.exponent - 1), 0.0)
        return PowerPotential(rate, self.gap_limit, self.exponent)

    def _remaining(
        self, gap: RealScalar, gap_initial: RealScalar
    ) -> tuple[Bool[Array, ""], Float[Array, ""]]:
        """Whether the gap is ahead of its limit, and the part of the excess that remains."""
        excess = jnp.asarray(gap_initial - self.gap_limit)
        moving = excess != 0
        remaining = (gap - self.gap_limit) / jnp.where(moving, excess, 1.0)
        # At the limit and past it nothing moves, and a power has no derivative: 1 stands in there.
        ahead = moving & (remaining > 0)
        return ahead, jnp.where(ahead, remaining, 1.0)
