r"""The saturating potential: a speed limit on learning, however wide the gap.

A round trains on a fixed number of responses with a bounded step, so that beyond some width a wider
gap does not help: the gap first closes linearly, and exponentially once it is small. This is the
Michaelis-Menten form of an enzyme with more substrate than it can bind, and so is its solution in
terms of the Lambert function, $W(z) e^{W(z)} = z$. Its argument grows exponentially with the
saturation; hence everything here is written in the logarithm $\ell = -\ln y$ of the remaining
fraction $y$ of the excess.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxgap.dynamics.potential import AbstractClosedFormPotential
from jaxgap.dynamics.types import RealScalar

# Halley steps from the start below: enough for machine precision at any saturation up to 1e6.
_NUM_STEPS = 12


class SaturatingPotential(AbstractClosedFormPotential):
    r"""A speed proportional to the gap's excess while small, levelling off when it is large.

    $$\frac{dG}{dt} = -\kappa \frac{(1 + s)(G - G_\infty)}{1 + s\,|y|}, \qquad
      y = \frac{G - G_\infty}{\delta}, \quad \delta = G_0 - G_\infty,$$
    $$y(t) = \tfrac{1}{s}\,W\!\big(s\,e^{s - (1 + s)\kappa t}\big), \qquad\text{that is}\qquad
      -\ln y + s (1 - y) = (1 + s) \kappa t.$$

    The speed levels off at $(1 + 1/s) \kappa \delta$.

    **Arguments:**

    - `rate`: $\kappa > 0$, the initial relative rate of decay of the excess, per time unit; the
        final one is $(1 + s) \kappa$.
    - `gap_limit`: $G_\infty$, in the unit of the capabilities.
    - `saturation`: $s \ge 0$: the initial excess, in units of the excess at which the speed is half
        its maximum. At 0 this is :class:`LinearPotential`.

    **Example:**

    >>> potential = SaturatingPotential(rate=0.5, gap_limit=0.0, saturation=1e4)
    >>> [round(float(potential.gap_at(t, gap_initial=4.0)), 2) for t in (0.0, 0.5, 1.0)]
    [4.0, 3.0, 2.0]

    The solution is that of Schnell and Mendoza (1997), J. Theor. Biol. 187, 207, for enzymes.
    """

    rate: RealScalar
    gap_limit: RealScalar
    saturation: RealScalar

    def closing_speed(self, gap: RealScalar, gap_initial: RealScalar) -> Float[Array, ""]:
        excess = jnp.asarray(gap - self.gap_limit)
        crowding = 1 + self.saturation * jnp.abs(self.remaining(gap, gap_initial))
        return self.rate * (1 + self.saturation) * excess / crowding

    def remaining_after(self, elapsed: Float[Array, "..."]) -> Float[Array, "..."]:
        progress = (1 + self.saturation) * self.rate * elapsed
        # A float, as integers have no derivative.
        saturation = 1.0 * jnp.asarray(self.saturation)
        return jnp.exp(-_log_decay(saturation, progress))

    def time_until(self, remaining: RealScalar) -> Float[Array, ""]:
        progress = -jnp.log(remaining) + self.saturation * (1 - remaining)
        return progress / (self.rate * (1 + self.saturation))

    def restarted(self, gap: RealScalar, gap_initial: RealScalar) -> "SaturatingPotential":
        saturation = self.saturation * jnp.abs(self.remaining(gap, gap_initial))
        rate = self.rate * (1 + self.saturation) / (1 + saturation)
        return SaturatingPotential(rate, self.gap_limit, saturation)


@jax.custom_jvp
def _log_decay(
    saturation: Float[Array, "..."], progress: Float[Array, "..."]
) -> Float[Array, "..."]:
    r"""The root $\ell$ of $\ell + s (1 - e^{-\ell}) = p$, for $s \ge 0$ and any real $p$.

    The left side is increasing and concave, and both $p - s$ and $p / (1 + s)$ are below the root,
    as $1 - e^{-\ell}$ is at most 1 and at most $\ell$. Halley's method climbs to it from below.
    """
    return _climb(saturation, progress)


@jax.jit
def _climb(saturation: Float[Array, "..."], progress: Float[Array, "..."]) -> Float[Array, "..."]:
    """Jitted, as a loop outside of jit is compiled anew at every call."""
    first = jnp.maximum(progress - saturation, progress / (1 + saturation))

    def step(_, root):
        bend = saturation * jnp.exp(-root)
        short = progress - root - saturation + bend
        slope = 1 + bend
        return root + short / (slope - 0.5 * bend * short / slope)

    root = jax.lax.fori_loop(0, _NUM_STEPS, step, first)
    return jnp.where(jnp.isinf(progress), progress, root)


@_log_decay.defjvp
def _log_decay_jvp(primals, tangents):
    (saturation, progress), (by_saturation, by_progress) = primals, tangents
    root = _log_decay(saturation, progress)
    slope = 1 + saturation * jnp.exp(-root)
    return root, (by_progress + jnp.expm1(-root) * by_saturation) / slope
