"""The power potential: a gap that closes more slowly than an exponential, as a power of time.

Accuracy curves of reinforcement-learning runs approach their ceiling as a power of time more often
than exponentially. Raising the gap's excess to a power q > 1 gives just that within the same
theory, and q = 1 recovers the exponential. There the closed form is the indeterminate
(1 + 0)^(1/0), so it is written in terms of log1p(u)/u, which is smooth.
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

    In the theory's symbols $E = k (G - G_\infty)^q$. Scaling by $\delta$ makes the rate an inverse
    time whatever $q$ is, and extends the law to a gap that grows towards its limit ($\delta < 0$).

    **Arguments:**

    - `rate`: $\kappa > 0$, the initial relative rate of decay of the excess, per time unit; that is
        $k (\alpha - \beta) \delta^{q-1}$.
    - `gap_limit`: $G_\infty$, in the unit of the capabilities.
    - `exponent`: $q \ge 1$; at 1 this is :class:`LinearPotential`.

    **Example:**

    >>> potential = PowerPotential(rate=0.5, gap_limit=0.0, exponent=2.0)
    >>> float(potential.gap_at(2.0, gap_initial=4.0))
    2.0

    The paper names the general potential and fits the linear one; the power potential and its
    closed form are derived here.
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
        # A gap that rounds to the limit is never reached; expm1_ratio of infinity would be NaN.
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
        """Whether the gap is still short of its limit, and the remaining fraction of the excess."""
        excess = jnp.asarray(gap_initial - self.gap_limit)
        moving = excess != 0
        remaining = (gap - self.gap_limit) / jnp.where(moving, excess, 1.0)
        # At the limit and past it nothing moves, and the power has no derivative: substitute 1.
        ahead = moving & (remaining > 0)
        return ahead, jnp.where(ahead, remaining, 1.0)
