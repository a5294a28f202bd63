r"""A coupling whose ratio drifts: the verifier's part in each change grows or shrinks.

Under the paper's law $dU_v/dU_s$ is constant along a run. In its own Figure 4 it is .27 early and
.6 late. The simplest description of this is a ratio linear in the gap: the first-order expansion of
any smooth $r(G)$.
"""

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxgap.dynamics.coupling import AbstractCoupling
from jaxgap.dynamics.smooth_ratios import log1p_ratio
from jaxgap.dynamics.types import RealScalar


class DriftingRatioCoupling(AbstractCoupling):
    r"""Solver and verifier move in a ratio that is linear in the gap.

    $$\frac{dU_v}{dU_s} = r(G) = r_c + g\,G, \qquad \frac{dU_s}{dG} = \frac{1}{1 - r(G)}, \qquad
      U_s - U_s(t_0) = -\frac{1}{g} \ln\frac{1 - r(G)}{1 - r(G_0)}.$$

    **Arguments:**

    - `ratio_closed`: $r_c$, the ratio at a closed gap, $G = 0$.
    - `slope`: $g$, per unit of the capabilities; at 0 this is :class:`RankOneCoupling`. The ratio
        must stay below 1 wherever the gap goes: at 1 the gap could not close.

    **Example:**

    >>> coupling = DriftingRatioCoupling(ratio_closed=0.6, slope=-0.5)
    >>> float(1 - 1 / coupling.solver_slope(0.6)), float(1 - 1 / coupling.solver_slope(0.0))
    (0.3..., 0.6...)

    The drift is not in the paper, whose coefficients are constant; it is derived here.
    """

    ratio_closed: RealScalar
    slope: RealScalar

    def ratio(self, gap: RealScalar | Float[Array, "..."]) -> Float[Array, "..."]:
        """`dU_v / dU_s` at `gap`."""
        return jnp.asarray(self.ratio_closed + self.slope * gap)

    def solver_slope(self, gap: RealScalar) -> Float[Array, ""]:
        return 1 / (1 - self.ratio(gap))

    def solver_change(
        self, gap: Float[Array, "..."], gap_initial: RealScalar
    ) -> Float[Array, "..."]:
        # log(1 + u) / u stays exact and differentiable at u = 0, the constant ratio.
        opposite = 1 - self.ratio(gap_initial)
        u = self.slope * (gap_initial - gap) / opposite
        return (gap - gap_initial) / opposite * log1p_ratio(u)
