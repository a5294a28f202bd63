"""The paper's potential: the gap's excess over its limit decays at a constant relative rate."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxgap.dynamics.potential import AbstractClosedFormPotential
from jaxgap.dynamics.types import RealScalar


class LinearPotential(AbstractClosedFormPotential):
    r"""The linearised potential, under which the gap decays exponentially.

    $$\frac{dG}{dt} = -\kappa (G - G_\infty), \qquad
      G(t) = G_\infty + \delta e^{-\kappa t}, \quad \delta = G_0 - G_\infty.$$

    In the paper's symbols $E = kG - b$, so $\kappa = k(\alpha - \beta)$ and $G_\infty = b/k$.

    **Arguments:**

    - `rate`: $\kappa > 0$, per time unit.
    - `gap_limit`: $G_\infty$, in the unit of the capabilities. The theory requires $f(0) = 0$, so
        a nonzero limit is an artefact of the linearisation.

    **Example:**

    >>> potential = LinearPotential(rate=0.5, gap_limit=1.0)
    >>> float(potential.closing_speed(3.0, gap_initial=5.0))
    1.0

    Source: Sun et al. (arXiv:2507.00075v4), section 4.
    """

    rate: RealScalar
    gap_limit: RealScalar

    def closing_speed(self, gap: RealScalar, gap_initial: RealScalar) -> Float[Array, ""]:
        del gap_initial
        return jnp.asarray(self.rate * (gap - self.gap_limit))

    def remaining_after(self, elapsed: Float[Array, "..."]) -> Float[Array, "..."]:
        return jnp.exp(-self.rate * elapsed)

    def time_until(self, remaining: RealScalar) -> Float[Array, ""]:
        return -jnp.log(remaining) / self.rate

    def restarted(self, gap: RealScalar, gap_initial: RealScalar) -> "LinearPotential":
        del gap, gap_initial
        return self
