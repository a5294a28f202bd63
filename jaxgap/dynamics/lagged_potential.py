r"""The lagged potential: a slow start, because better data have to be made first.

A loop learns from the responses that its verifier accepts, and at first few are worth learning
from. Their share grows as the gap closes, and the speed with it: more correct samples give more
data, which give more correct samples. If the share of useful data is $1 - \lambda y$, with $y$ the
remaining fraction of the gap's excess, the gap obeys the logistic equation, and both capabilities
follow a sigmoid. A policy that is correct with probability $p$ and follows the natural gradient of
$p$ obeys the same equation, $\dot p = p (1 - p)$.
"""

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxgap.dynamics.potential import AbstractClosedFormPotential
from jaxgap.dynamics.types import RealScalar


class LaggedPotential(AbstractClosedFormPotential):
    r"""A speed proportional to the gap's excess and to a growing share of useful data.

    $$\frac{dG}{dt} = -\kappa (G - G_\infty)\,(1 - \lambda y), \qquad
      y = \frac{G - G_\infty}{\delta}, \quad \delta = G_0 - G_\infty,$$
    $$y(t) = \frac{e^{-\kappa t}}{1 - \lambda (1 - e^{-\kappa t})}.$$

    The relative rate is $(1 - \lambda) \kappa$ at first and $\kappa$ in the end. Half of the excess
    is gone after $\ln(1 + 1/(1 - \lambda)) / \kappa$, and for $\lambda > 1/2$ the gap closes
    fastest in between. A gap so wide, after a jump, that the share would be negative is stuck.

    **Arguments:**

    - `rate`: $\kappa > 0$, the final relative rate, per time unit.
    - `gap_limit`: $G_\infty$, in the unit of the capabilities.
    - `feedback`: $\lambda$ in [0, 1), the initial fraction of useless data. At 0 this is
        :class:`LinearPotential`.

    **Example:**

    >>> potential = LaggedPotential(rate=1.0, gap_limit=0.0, feedback=0.99)
    >>> [round(float(potential.gap_at(t, gap_initial=1.0)), 2) for t in (0.0, 2.0, 5.0, 8.0)]
    [1.0, 0.94, 0.4, 0.03]

    The paper's $f$ increases with the gap; this one does not where $\lambda > 1/2$. The logistic
    equation is Verhulst's (1838).
    """

    rate: RealScalar
    gap_limit: RealScalar
    feedback: RealScalar

    def closing_speed(self, gap: RealScalar, gap_initial: RealScalar) -> Float[Array, ""]:
        useless = self._useless(gap, gap_initial)
        return self.rate * (gap - self.gap_limit) * jnp.maximum(1 - useless, 0.0)

    def remaining_after(self, elapsed: Float[Array, "..."]) -> Float[Array, "..."]:
        decay = -self.rate * elapsed
        return jnp.exp(decay) / (1 + self.feedback * jnp.expm1(decay))

    def time_until(self, remaining: RealScalar) -> Float[Array, ""]:
        share = (1 - self.feedback) / (1 - self.feedback * remaining)
        return -jnp.log(remaining * share) / self.rate

    def restarted(self, gap: RealScalar, gap_initial: RealScalar) -> "LaggedPotential":
        useless = self._useless(gap, gap_initial)
        stuck = useless >= 1
        return LaggedPotential(
            jnp.where(stuck, 0.0, self.rate), self.gap_limit, jnp.where(stuck, 0.0, useless)
        )

    def _useless(self, gap: RealScalar, gap_initial: RealScalar) -> Float[Array, ""]:
        r"""$\lambda y$, the fraction of the data that is useless at `gap`."""
        return self.feedback * self.remaining(gap, gap_initial)
