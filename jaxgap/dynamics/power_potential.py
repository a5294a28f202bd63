"""The power potential: a gap that closes more slowly than an exponential, as a power of time.

Accuracy curves of reinforcement-learning runs approach their ceiling as a power of time more often
than exponentially. Raising the gap's excess to a power q > 1 gives just that within the same
theory, and q = 1 recovers the exponential. There the closed form is the indeterminate
(1 + 0)^(1/0), so it is written in terms of log1p(u)/u, which is smooth.
"""

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxgap.dynamics.potential import AbstractClosedFormPotential
from jaxgap.dynamics.smooth_ratios import expm1_ratio, log1p_ratio
from jaxgap.dynamics.types import RealScalar


class PowerPotential(AbstractClosedFormPotential):
    r"""A power of the gap's excess drives the gap, which then decays as a power of time.

    $$\frac{dG}{dt} = -\kappa\,(G - G_\infty)\,|y|^{q-1}, \qquad
      y = \frac{G - G_\infty}{\delta}, \quad \delta = G_0 - G_\infty,$$
    $$y(t) = \big(1 + (q - 1)\kappa t\big)^{-1/(q-1)}.$$

    In the theory's symbols $E = k (G - G_\infty)^q$, continued to a gap below its limit as an odd
    function, as the linear law is: from either side the gap moves towards its limit. Scaling by
    $\delta$ makes the rate an inverse time whatever $q$ is.

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
        slowing = self._slowing(gap, gap_initial)
        return self.rate * (gap - self.gap_limit) * slowing

    def remaining_after(self, elapsed: Float[Array, "..."]) -> Float[Array, "..."]:
        scaled = self.rate * elapsed
        return jnp.exp(-scaled * log1p_ratio((self.exponent - 1) * scaled))

    def time_until(self, remaining: RealScalar) -> Float[Array, ""]:
        # None of it is never left; expm1_ratio of infinity would be NaN.
        never = jnp.asarray(remaining == 0)
        folds = -jnp.log(jnp.where(never, 1.0, remaining))
        elapsed = folds * expm1_ratio((self.exponent - 1) * folds) / self.rate
        return jnp.where(never, jnp.inf, elapsed)

    def restarted(self, gap: RealScalar, gap_initial: RealScalar) -> "PowerPotential":
        rate = self.rate * self._slowing(gap, gap_initial)
        return PowerPotential(rate, self.gap_limit, self.exponent)

    def _slowing(self, gap: RealScalar, gap_initial: RealScalar) -> Float[Array, ""]:
        """$|y|^{q-1}$, the relative rate at `gap` as a fraction of the initial one.

        A run that begins at its limit stays there, and follows the linear law at $q = 1$.
        """
        remaining = self.remaining(gap, gap_initial)
        # Zero to a power has no derivative; neither has the absolute value of zero.
        nonzero = remaining != 0
        power = jnp.abs(jnp.where(nonzero, remaining, 1.0)) ** (self.exponent - 1)
        return jnp.where(nonzero, power, jnp.where(self.exponent > 1, 0.0, 1.0))
