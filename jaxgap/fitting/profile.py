r"""Profile likelihood: how far a number can move before the best fit suffers.

Let $g(z)$ be a number of interest, a parameter or a limit. Its profile is the best sum of squares
that can be reached with $g$ held at $c$, and

$$\zeta(c) = \sqrt{\frac{\min_{g(z) = c} S(z) - S_{\min}}{\sigma^2}}$$

is, up to a sign, distributed like Student's t. The interval is where $\zeta$ stays below t's
quantile. Unlike an interval from curvature it follows the profile where it is skewed, and it is
open where $\zeta$ never gets that far: where the data do not hold the number at all.

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
_TOLERANCE = 1e-4


class ProfileEnd(NamedTuple):
    """One end of an interval.

    - `value`: where the profile reaches the quantile, or the bound if that is met before.
    - `coordinates`: a point of the profile close to that end, within the interval.
    """

    value: Float[Array, ""]
    coordinates: Float[Array, " n"]


class Minimised(NamedTuple):
    """The fit around which to profile: its coordinates, its cost, and the noise's variance."""

    coordinates: Float[Array, " n"]
    cost: Float[Array, ""]
    variance: Float[Array, ""]


def profile_end(
    number_fn: Callable[[Float[Array, " n"]], Float[Array, ""]],
    residual_fn: ResidualFn,
    minimiser: AbstractMinimiser,
    best: Minimised,
    starts: Float[Array, "starts n"],
    args: Any,
    *,
    centre: RealScalar,
    direction: RealScalar,
    first_distance: RealScalar,
    bound: RealScalar,
    quantile: RealScalar,
) -> ProfileEnd:
    r"""One end of the profile-likelihood interval of `number_fn(coordinates)`.

    It moves outward, each time from the last refit, until $\zeta$ exceeds the quantile, and then
    closes in by the Illinois method.

    **Arguments:**

    - `number_fn`: the number of interest.
    - `residual_fn`, `minimiser`, `args`: the least-squares problem.
    - `best`: the problem's solution.
    - `starts`: further points, each of a fair fit, spread over what is plausible. A refit begins
        at one of these where the last refit is further off.
    - `centre`: where to set out from: the number at the fit, or the bound on the other side if the
        fit is beyond that.
    - `direction`: +1 for the upper end, -1 for the lower.
    - `first_distance`: how far to go at first, > 0; within a few orders of magnitude is enough.
    - `bound`: where to stop: the number's natural bound on that side, or where it is so far off
        that nobody would call the number known.
    - `quantile`: of Student's t, or of the normal distribution where the noise is known.

    **Returns:**

    A :class:`ProfileEnd`.

    Source: Bates and Watts (1988), Nonlinear Regression Analysis and Its Applications, chapter 6.
    """
    room = jnp.maximum(direction * (bound - centre), 0.0)

    def pinned(z, pin):
        target, stiffness = pin
        return jnp.append(residual_fn(z, args), (number_fn(z) - target) * stiffness)

    def refit(inner, distance):
        target = centre + direction * distance
        stiffness = jnp.sqrt(best.variance) / distance
        candidates = jnp.concatenate([inner[None], starts])
        loose = jax.vmap(lambda z: jnp.sum(pinned(z, (target, stiffness)) ** 2))(candidates)
        start = candidates[jnp.nanargmin(loose)]
        pin = (target, stiffness / _SLACK)
        minimum = minimiser(pinned, start, pin)
        moved = direction * (number_fn(minimum.coordinates) - centre)
        excess = minimum.cost - ((moved - distance) * pin[1]) ** 2 - best.cost
        zeta = jnp.sqrt(jnp.maximum(excess, 0.0) / best.variance)
        return minimum.coordinates, moved, zeta

    def body_fn(search: _Search) -> _Search:
        z, moved, zeta = refit(search.inner, search.trial)
        return _update(search, z, moved, zeta, quantile=quantile, room=room)

    def cond_fn(search: _Search):
        return ~search.done & (search.num_steps < _MAX_STEPS)

    start = jnp.clip(first_distance, 0.0, jnp.where(room > 0, room, jnp.inf))
    last = jax.lax.while_loop(cond_fn, body_fn, _Search.begin(best.coordinates, start))
    # A search that ran out of steps on its way out has an end further than it got: the bound.
    beyond = last.at_bound | ~last.bracketed | (room <= 0)
    distance = jnp.where(beyond, 0.0, last.crossing())
    value = jnp.where(beyond, bound, centre + direction * distance)
    return ProfileEnd(value, last.inner)


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
    outside: Bool[Array, ""]
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
            no,
            jnp.zeros((), int),
        )

    def crossing(self) -> Float[Array, ""]:
        """Where the straight line through both ends of the bracket meets the quantile."""
        found = self.zeta_low == 0
        span = jnp.where(self.bracketed & ~found, self.high - self.low, 0.0)
        return self.low - self.zeta_low * span / jnp.where(
            found, 1.0, self.zeta_high - self.zeta_low
        )


def _update(search: _Search, z, moved, zeta, *, quantile, room) -> _Search:
    """Take in one refit, which moved the number by `moved`, and choose the next distance."""
    relative = zeta / quantile - 1
    # A refit that failed counts as outside: the search then falls back towards the inside.
    failed = ~(jnp.isfinite(relative) & jnp.isfinite(moved))
    moved = jnp.where(failed, search.trial, jnp.maximum(moved, search.low))
    outside = failed | (relative > 0)
    relative = jnp.where(failed, 1.0, relative)
    inside = ~outside
    low = jnp.where(inside, moved, search.low)
    # Illinois: an end that stays while the other moves twice counts half, lest it stay for ever.
    zeta_low = jnp.where(inside, relative, search.zeta_low * jnp.where(search.outside, 0.5, 1.0))
    high = jnp.where(outside, moved, search.high)
    zeta_high = jnp.where(outside, relative, search.zeta_high * jnp.where(search.outside, 1.0, 0.5))
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
        outside=outside,
        bracketed=bracketed,
        at_bound=at_bound & ~bracketed,
        num_steps=search.num_steps + 1,
    )
    # Between: the crossing, kept off the ends so that both of them close in.
    margin = 0.02 * (high - low)
    between = jnp.clip(updated.crossing(), low + margin, high - margin)
    narrow = bracketed & (high - low < _TOLERANCE * high)
    # On the quantile but for a straight profile's worth: that is the end, whichever side it is on.
    near = jnp.abs(relative) < _TOLERANCE
    return updated._replace(
        trial=jnp.where(bracketed, between, outward),
        low=jnp.where(near, moved / (1 + relative), low),
        zeta_low=jnp.where(near, 0.0, zeta_low),
        bracketed=bracketed | near,
        done=updated.at_bound | near | narrow,
    )
