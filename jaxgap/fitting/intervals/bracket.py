"""The search for an interval's end along one number: a bracket, and where to try next."""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

# This close to the quantile the profile is straight, and its slope gives the end.
NEAR = 1e-3
# A bracket of this relative width counts as the end, for where the profile jumps.
_NARROW = 1e-4
# The closest next trial, as a fraction of the last: a refit may come out on the wrong side.
_CLOSER = 1e-3
# The first trial beyond an end that was found, as a multiple of its distance.
FURTHER = 1.02


class Bracket(NamedTuple):
    """A bracket of the end, as distances from the centre: `low` is inside, `high` is outside.

    `trial` is where the spring pulls to, `value` the current estimate of the end, `relative` zeta
    over the quantile, minus one, at the last refit (infinite before the first).
    """

    inner: Float[Array, " n"]
    trial: Float[Array, ""]
    low: Float[Array, ""]
    high: Float[Array, ""]
    value: Float[Array, ""]
    relative: Float[Array, ""]
    outside: Bool[Array, ""]
    stuck: Bool[Array, ""]
    at_bound: Bool[Array, ""]
    done: Bool[Array, ""]
    num_steps: Int[Array, ""]

    @classmethod
    def begin(cls, start, trial) -> "Bracket":
        zero, no = jnp.zeros_like(trial), jnp.asarray(False)
        far = zero + jnp.inf
        return cls(start, trial, zero, far, trial, far, no, no, no, no, jnp.zeros((), int))


class Refit(NamedTuple):
    """The outcome of a refit: how far the number moved, zeta there, and zeta's slope."""

    coordinates: Float[Array, " n"]
    moved: Float[Array, ""]
    zeta: Float[Array, ""]
    slope: Float[Array, ""]


class _Judged(NamedTuple):
    """Where a refit stands: the bracket with it, and what that says of the end.

    - `relative`: zeta over the quantile, minus one.
    - `newton`: the end by Newton's method.
    - `moved`: how far the number moved; the trial if the refit failed.
    - `low`, `high`: the bracket with this refit.
    - `failed`: whether the refit has no finite outcome.
    - `outside`: whether it is beyond the end.
    - `stuck`: whether it did not follow the spring.
    - `steep`: whether the profile rises there, so that Newton's method means something.
    - `far_inside`: well inside, where Newton's method says little of where the end is.
    - `near`, `narrow`, `at_bound`: whether the end is found by the profile, by the bracket, or is
        the bound.
    - `in_vain`: whether a second search sees no end beyond the first.
    """

    relative: Float[Array, ""]
    newton: Float[Array, ""]
    moved: Float[Array, ""]
    low: Float[Array, ""]
    high: Float[Array, ""]
    failed: Bool[Array, ""]
    outside: Bool[Array, ""]
    stuck: Bool[Array, ""]
    steep: Bool[Array, ""]
    far_inside: Bool[Array, ""]
    near: Bool[Array, ""]
    narrow: Bool[Array, ""]
    at_bound: Bool[Array, ""]
    in_vain: Bool[Array, ""]


def updated(search: Bracket, refit: Refit, quantile, room) -> Bracket:
    """Update the bracket with one refit, and choose the next distance."""
    at = _judged(search, refit, quantile, room)
    wanted, trial = _next_trial(search, at, room)
    return Bracket(
        inner=jnp.where(at.outside, search.inner, refit.coordinates),
        trial=trial,
        low=at.low,
        high=jnp.where(at.in_vain, search.low, at.high),
        value=jnp.where(at.in_vain, search.low, jnp.where(at.near, at.newton, wanted)),
        relative=jnp.where(at.failed, search.relative, at.relative),
        outside=at.outside,
        stuck=at.stuck,
        at_bound=at.at_bound,
        done=at.at_bound | at.near | at.narrow | at.in_vain,
        num_steps=search.num_steps + 1,
    )


def _judged(search: Bracket, refit: Refit, quantile, room) -> _Judged:
    """Where the refit stands."""
    relative = refit.zeta / quantile - 1
    newton = refit.moved - (refit.zeta - quantile) / refit.slope
    # A failed refit counts as outside, so that the search backs off.
    failed = ~(jnp.isfinite(relative) & jnp.isfinite(refit.moved))
    outside = failed | (relative > 0)
    moved = jnp.where(failed, search.trial, refit.moved)
    low = jnp.where(outside, search.low, jnp.maximum(moved, search.low))
    high = jnp.where(outside, jnp.minimum(moved, search.high), search.high)
    # A refit that did not follow the spring to the bound says nothing about the cost there.
    stuck = ~outside & (moved < 0.5 * search.trial)
    # A spring may be too soft to follow a profile that rises steeply just before the bound.
    steep = (refit.slope > 0) & (refit.zeta > 0.05 * quantile)
    is_beyond = ~steep | (newton > (1 - NEAR) * room)
    at_bound = ~outside & ~stuck & (search.trial >= room) & jnp.isinf(high) & is_beyond
    near = ~failed & (jnp.abs(relative) < NEAR) & (jnp.abs(newton - moved) < 2 * NEAR * moved)
    narrow = high - low < _NARROW * high
    far_inside = relative < -0.1
    # A second search, which begins at the end found, leaves it at that if it sees none beyond.
    is_second = (search.low > 0) & jnp.isinf(search.relative)
    in_vain = is_second & ~far_inside & ~(newton > (1 + 2 * NEAR) * search.low)
    return _Judged(
        relative=relative,
        newton=newton,
        moved=moved,
        low=low,
        high=high,
        failed=failed,
        outside=outside,
        stuck=stuck,
        steep=steep,
        far_inside=far_inside,
        near=near,
        narrow=narrow,
        at_bound=at_bound,
        in_vain=in_vain,
    )


def _next_trial(search: Bracket, at: _Judged, room) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """The distance to go to next, and where the spring has to pull for that."""
    # Inside the bracket by Newton's method, or by bisection where that converges too slowly.
    settling = (jnp.abs(at.relative) < 0.5 * jnp.abs(search.relative)) & ~at.failed
    by_newton = settling & at.steep & (at.newton > at.low) & (at.newton < at.high)
    between = jnp.where(by_newton, at.newton, 0.5 * (at.low + at.high))
    # Outward by Newton's method, but in sizeable steps while the end is far. A spring that hardly
    # moved a steep profile was far too soft: a closer trial has a stiffer one.
    too_soft = at.stuck & at.steep
    closest = jnp.maximum(at.moved, _CLOSER * search.trial)
    least = jnp.where(at.far_inside & ~too_soft, 1.2 * search.trial, closest)
    outward = jnp.clip(jnp.where(at.steep, at.newton, jnp.inf), least, 4 * search.trial)
    wanted = jnp.where(jnp.isinf(at.high), outward, between)
    # Aim further by as much as the spring will give, which grows about as the cube of the distance,
    # even beyond the bound.
    short = jnp.where(at.failed, 0.0, jnp.clip(search.trial - at.moved, 0.0, 0.1 * search.trial))
    followed = at.moved >= 0.5 * search.trial
    growth = jnp.minimum(wanted / jnp.where(followed, at.moved, search.trial), 2.0) ** 3
    return wanted, jnp.minimum(wanted, room) + short * growth


def begun_again(search: Bracket, start, moved, room) -> Bracket:
    """A second search, beyond the end that was found, from a point inside the interval.

    **Arguments:**

    - `start`, `moved`: the point, and how far the number has moved there.
    - `room`: the distance of the bound.
    """
    low = jnp.clip(moved, search.value, room)
    at_bound = low >= room
    begun = Bracket.begin(start, jnp.minimum(FURTHER * low, room))
    return begun._replace(low=low, value=low, at_bound=at_bound, done=at_bound)
