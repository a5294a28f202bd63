r"""The neural potential: how fast the gap closes, learned from the curves.

The theory only says that $f$ increases with the gap and vanishes where nothing is left to learn.
This potential assumes no more: it is a universal differential equation, a small neural network
inside the differential equation whose weights are fitted with everything else. Its architecture
guarantees the assumptions whatever the weights: the gap's excess is its only input, every unit is
increasing and zero at zero excess, and the weights are nonnegative and sum to one.

Each unit is a piece of a sigmoid. Depending on where the piece lies it is convex (a speed that
fades faster than the gap, like a power), concave (one that saturates), a step, or, at zero
steepness, a line. With enough units they approximate any increasing function; a run can identify
one to three.
"""

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxgap.dynamics.potential import AbstractPotential
from jaxgap.dynamics.smooth_ratios import expm1_ratio
from jaxgap.dynamics.types import RealScalar


class NeuralPotential(AbstractPotential):
    r"""A closing speed given by a monotone network of the gap's excess.

    $$\frac{dG}{dt} = -\kappa\,\delta\, m(x), \qquad x = \frac{G - G_\infty}{\delta}, \quad
      \delta = G_0 - G_\infty, \qquad m(x) = \sum_j w_j
      \frac{\sigma(a_j (x - c_j)) - \sigma(-a_j c_j)}{\sigma(a_j (1 - c_j)) - \sigma(-a_j c_j)},$$

    with $\sigma$ the logistic function. So $m(0) = 0$, $m(1) = 1$, $m$ increases, and the gap moves
    towards its limit from either side. There is no closed form; the law has to be integrated.

    **Arguments:**

    - `rate`: $\kappa > 0$, the initial relative rate of decay of the excess, per time unit.
    - `gap_limit`: $G_\infty$, in the unit of the capabilities.
    - `weights`: $w_j \ge 0$, summing to one, shape `(units,)`.
    - `steepness`: $a_j \ge 0$, shape `(units,)`; at 0 a unit is a straight line.
    - `centres`: $c_j$, as fractions of the initial excess, shape `(units,)`: along the run a unit
        is convex for a centre at 1 or above, concave at 0 or below.

    **Example:**

    >>> convex = NeuralPotential(0.5, 0.0, jnp.ones(1), jnp.array([4.0]), jnp.array([1.0]))
    >>> [round(float(convex.closing_speed(gap, 2.0)), 3) for gap in (2.0, 1.0, 0.0)]
    [1.0, 0.21, 0.0]

    Universal differential equations: Rackauckas et al. (2020), arXiv:2001.04385. Monotone networks
    by positive weights: Sill (1997), Monotonic networks, NIPS 10.
    """

    rate: RealScalar
    gap_limit: RealScalar
    weights: Float[Array, " units"]
    steepness: Float[Array, " units"]
    centres: Float[Array, " units"]

    def closing_speed(self, gap: RealScalar, gap_initial: RealScalar) -> Float[Array, ""]:
        excess = jnp.asarray(gap_initial - self.gap_limit)
        x = self.remaining(gap, gap_initial)
        units = _unit(x, jnp.asarray(self.steepness), jnp.asarray(self.centres))
        return jnp.where(excess != 0, self.rate * excess * jnp.sum(self.weights * units), 0.0)


def _unit(
    x: Float[Array, ""], steepness: Float[Array, " units"], centres: Float[Array, " units"]
) -> Float[Array, " units"]:
    r"""Each unit at $x$.

    $$\sigma(u) - \sigma(v) = \frac{\sinh\frac{u-v}{2}}{2\cosh\frac{u}{2}\cosh\frac{v}{2}}$$

    with the exponentials that would overflow factored out of the hyperbolic functions into a single
    one. The ratio of sinhs is written in terms of $(e^u - 1)/u$, so that a unit of zero steepness
    is a straight line.
    """
    ahead, from_centre, end = _magnitude(x), _magnitude(x - centres), _magnitude(1 - centres)
    line = x * expm1_ratio(-steepness * ahead) / expm1_ratio(-steepness)
    bend = (1 + jnp.exp(-steepness * end)) / (1 + jnp.exp(-steepness * from_centre))
    return line * bend * jnp.exp(0.5 * steepness * (ahead - 1 + end - from_centre))


def _magnitude(z: Float[Array, "..."]) -> Float[Array, "..."]:
    """`|z|` with slope 1 at zero, so that even functions of it have all derivatives there."""
    return jnp.where(z < 0, -z, z)
