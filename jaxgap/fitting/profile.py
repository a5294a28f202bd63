r"""Profile likelihood: how far a number can move before the best fit suffers.

Let $g(z)$ be a number of interest, a parameter or a limit. Its profile is the best sum of squares
that can be reached with $g$ held at $c$, and

$$\zeta(c) = \sqrt{\frac{\min_{g(z) = c} S(z) - S_{\min}}{\sigma^2}}$$

is, up to a sign, distributed like Student's t. The interval is where $\zeta$ stays below t's
quantile. Unlike an interval from curvature it follows the profile where it is skewed, and it is
infinite where $\zeta$ never gets that far: where the data do not hold the number at all.

Holding is done by one more residual, a stiff spring that pulls $g$ towards $c$. Whatever value $g$
then takes, the point is a minimum of $S$ given that value, hence exactly on the profile: the spring
needs no tuning, and any function $g$ of the coordinates can be profiled.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from jaxgap.dynamics.types import RealScalar
from jaxgap.fitting.least_squares import AbstractMinimiser, ResidualFn

# The spring's scale as a part of the distance that g has moved.
_SLACK = 0.02
_MAX_STEPS = 24
# How many times further than first thought an end is sought before it counts as infinite.
_FURTHEST = 1e5
_TOLERANCE = 1e-4


class ProfileEnd(NamedTuple):
    """One end of an interval.

    - `value`: where the profile reaches the quantile; a bound of the number if it is met before;
        plus or minus infinity if neither happens.
    - `coordinates`: a point of the profile close to that end.
    """

    value: Float[Array, ""]
    coordinates: Float[Array, " n"]


class Minimised(NamedTuple):
    """The fit around which to profile: its coordinates, its cost, and the noise variance."""

    coordinates: Float[Array, " n"]
    start: Float[Array, " n"]
    cost: Float[Array, ""]
    variance: Float[Array, ""]


def profile_end(
    number_fn: Callable[[Float[Array, " n"]], Float[Array, ""]],
    residual_fn: ResidualFn,
    minimiser: AbstractMinimiser,
    best: Minimised,
    args: Any,
    *,
    direction: RealScalar,
    first_distance: RealScalar,
    bound: RealScalar,
    quantile: RealScalar,
) -> ProfileEnd:
    r"""One end of the profile-likelihood interval of `number_fn(coordinates)`.

    It moves outward, each time from the last refit, until $\zeta$ exceeds the quantile, and then
    closes in by regula falsi.

    **Arguments:**

    - `number_fn`: the number of interest.
    - `residual_fn`, `minimiser`, `args`: the least-squares problem.
    - `best`: its solution. `best.start` is where refits begin.
    - `direction`: +1 for the upper end, -1 for the lower.
    - `first_distance`: how far to go at first, > 0; within a few orders of magnitude is enough.
    - `bound`: the number's natural bound on that side, or an infinity.
    - `quantile`: of Student's t, or of the normal distribution where the noise is known.

    **Returns:**

    A :class:`ProfileEnd`.

    Source: Bates and Watts (1988), Nonlinear Regression Analysis and Its Applications, chapter 6.
    """
    centre = number_fn(best.coordinates)
    room = jnp.abs(bound - centre)
    furthest = _FURTHEST * first_distance

    def pull(z, pin):
        target, stiffness = pin
        return (number_fn(z) - target) * stiffness

    def refit(start, distance):
        pin = (centre + direction * distance, jnp.sqrt(best.variance) / (_SLACK * distance))
        minimum = minimiser(
            lambda z, pin: jnp.append(residual_fn(z, args), pull(z, pin)), start, pin
        )
        z = minimum.coordinates
        excess = minimum.cost - pull(z, pin) ** 2 - best.cost
        zeta = jnp.sqrt(jnp.maximum(excess, 0.0) / best.variance)
        return z, direction * (number_fn(z) - centre), zeta

    def body_fn(search: _Search) -> _Search:
        z, moved, zeta = refit(search.inner, search.trial)
        return _update(search, z, moved, zeta, quantile=quantile, room=room, furthest=furthest)

    def cond_fn(search: _Search):
        return ~search.done & (search.num_steps < _MAX_STEPS)

    first = _Search.begin(best.start, jnp.minimum(first_distance, room))
    last = jax.lax.while_loop(cond_fn, body_fn, first)
    distance = jnp.where(last.bracketed, last.crossing(), jnp.where(last.at_bound, room, jnp.inf))
    return ProfileEnd(centre + direction * distance, last.inner)


class _Search(NamedTuple):
    """A bracket of the end, as distances from the centre: `low` is inside, `high` is outside.

    `zeta_low` and `zeta_high` are relative to the quantile, minus one: below and above zero.
    """

    inner: Float[Array, " n"]
    trial: Float[Array, ""]
    low: Float[Array, ""]
    zeta_low: Float[Array, ""]
    high: Float[Array, ""]
    zeta_high: Float[Array, ""]
    bracketed: Bool[Array, ""]
    at_bound: Bool[Array, ""]
    done: Bool[Array, ""]
    num_steps: Int[Array, ""]

    @classmethod
    def begin(cls, start, trial) -> "_Search":
        zero, no = jnp.zeros_like(trial), jnp.asarray(False)
        return cls(
            start,
            trial,
            zero,
            zero - 1,
            zero + jnp.inf,
            zero + jnp.inf,
            no,
            no,
            no,
            jnp.zeros((), int),
        )

    def crossing(self) -> Float[Array, ""]:
        """Where the straight line through both ends of the bracket meets the quantile."""
        span = jnp.where(self.bracketed, self.high - self.low, 0.0)
        return self.low - self.zeta_low * span / (self.zeta_high - self.zeta_low)


def _update(search: _Search, z, moved, zeta, *, quantile, room, furthest) -> _Search:
    """Take in one refit, which moved the number by `moved`, and choose the next distance."""
    relative = zeta / quantile - 1
    # A refit that failed counts as outside: the search then falls back towards the inside.
    failed = ~(jnp.isfinite(relative) & jnp.isfinite(moved))
    moved = jnp.where(failed, search.trial, jnp.maximum(moved, search.low))
    outside = failed | (relative > 0)
    relative = jnp.where(failed, 1.0, relative)
    inside = ~outside
    low = jnp.where(inside, moved, search.low)
    zeta_low = jnp.where(inside, jnp.maximum(relative, search.zeta_low), search.zeta_low)
    high = jnp.where(outside, moved, search.high)
    zeta_high = jnp.where(outside, relative, search.zeta_high)
    bracketed = search.bracketed | outside
    at_bound = inside & (search.trial >= room)
    # Outward: by what a straight profile would need, but no less than half as far again.
    outward = search.trial * jnp.clip(1.05 * quantile / zeta, 1.5, 4.0)
    outward = jnp.minimum(jnp.where(failed, search.trial, outward), room)
    updated = search._replace(
        inner=jnp.where(inside, z, search.inner),
        low=low,
        zeta_low=zeta_low,
        high=high,
        zeta_high=zeta_high,
        bracketed=bracketed,
        at_bound=at_bound & ~bracketed,
        num_steps=search.num_steps + 1,
    )
    # Between: the crossing, kept off the ends so that both of them close in.
    margin = 0.02 * (high - low)
    between = jnp.clip(updated.crossing(), low + margin, high - margin)
    near = jnp.abs(relative) < _TOLERANCE
    narrow = bracketed & (high - low < _TOLERANCE * high)
    lost = ~bracketed & (search.trial > furthest)
    return updated._replace(
        trial=jnp.where(bracketed, between, outward),
        done=updated.at_bound | (near & bracketed) | narrow | lost,
    )
