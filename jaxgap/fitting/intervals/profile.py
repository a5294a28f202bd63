r"""Profile likelihood: how far a number can move before the best fit suffers.

Let $g(z)$ be a number of interest, a parameter or a limit. Its profile is the best sum of squares
that can be reached with $g$ fixed at $c$, and

$$\zeta(c) = \sqrt{\frac{\min_{g(z) = c} S(z) - S_{\min}}{\sigma^2}}$$

is, up to a sign, distributed like Student's t. The interval is where $\zeta$ stays below t's
quantile. Unlike an interval from curvature it follows the profile where it is skewed, and it is
open where $\zeta$ never gets that far: where the data do not determine the number at all.

Holding is done by one more residual, a stiff spring that pulls $g$ towards $c$. Whatever value $g$
then takes, the point is a minimum of $S$ given that value, hence exactly on the profile: the spring
needs no tuning, and any function $g$ of the coordinates can be profiled.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, PyTree

from jaxgap.fitting.least_squares.lanes import AbstractIteration, run_lanes
from jaxgap.fitting.least_squares.minimiser import NUM_LANES, AbstractMinimiser, ResidualFn

# A number of interest: from coordinates, the data of the fit, and which number it is.
NumberFn = Callable[[Float[Array, " n"], Any, Any], Float[Array, ""]]

# The spring's scale as a part of the distance that g has moved.
SLACK = 0.02
_MAX_STEPS = 24
# So near to the quantile the profile is straight, and its slope tells where the end is.
_NEAR = 1e-3
# A bracket of this relative width is the end, where the profile jumps.
_NARROW = 1e-4


class Minimised(NamedTuple):
    """The fits around which to profile, every field with a leading axis of fits.

    - `coordinates`, `cost`: of the minimum.
    - `variance`: of the noise.
    - `starts`: further points, each of a fair fit, spread over what is plausible. A refit begins
        at one of these where the last refit is further off.
    - `data`: the `args` of the residuals.
    """

    coordinates: Float[Array, "fits n"]
    cost: Float[Array, " fits"]
    variance: Float[Array, " fits"]
    starts: Float[Array, "fits starts n"]
    data: PyTree


class Ends(NamedTuple):
    """The ends of intervals that are looked for, every field with a leading axis of ends.

    - `fit`: of which fit.
    - `number`: which number, as the number's function takes it.
    - `centre`: where to set out from: the number at the fit, or the bound on the other side if the
        fit is beyond that.
    - `direction`: +1 for the upper end, -1 for the lower.
    - `first_distance`: how far to go at first, > 0; within a few orders of magnitude is enough.
    - `bound`: where to stop: the number's natural bound on that side, or where it is so far off
        that nobody would call the number known.
    - `quantile`: of Student's t, or of the normal distribution where the noise is known.
    - `longest`: a distance beyond which the spring gets no softer. It is needed where a search sets
        out from a bound, far outside the data's scale, and comes back to it.
    """

    fit: Int[Array, " ends"]
    number: PyTree
    centre: Float[Array, " ends"]
    direction: Float[Array, " ends"]
    first_distance: Float[Array, " ends"]
    bound: Float[Array, " ends"]
    quantile: Float[Array, " ends"]
    longest: Float[Array, " ends"]


def both_ends(
    number: PyTree,
    estimates: Float[Array, "..."],
    bounds: Float[Array, "... 2"],
    stderrs: Float[Array, "..."],
    typical: Float[Array, "..."],
    quantile: Float[Array, "..."],
    fit: Int[Array, "..."] | int = 0,
) -> Ends:
    """The lower and the upper end of each number's interval, one after the other.

    A number whose estimate lies beyond a bound sets out from there, and the curvature at the fit
    says nothing about how far it has to come back: that may be as far as is typical.

    **Arguments:** all are broadcast to one shape, that of the intervals.

    - `number`: which numbers, as their function takes them.
    - `estimates`: the numbers at their fits.
    - `bounds`: how far they may go down and up.
    - `stderrs`: their standard errors, at least nearly, by which to look first: a step that is far
        too long would lose the way. Infinite or NaN where none is known.
    - `typical`: the size that such numbers have, > 0.
    - `quantile`: of the interval.
    - `fit`: of which fit each number is.
    """
    centres = jnp.clip(estimates, bounds[..., 0], bounds[..., 1])
    inside = centres == estimates
    sensible = jnp.isfinite(stderrs) & (stderrs > 1e-12 * typical)
    near = jnp.where(sensible, jnp.minimum(quantile * stderrs, typical), 0.1 * typical)
    each = (number, centres, near, fit)
    shape = np.broadcast_shapes(*(jnp.shape(leaf) for leaf in jax.tree.leaves(each)))

    def twice(leaf) -> Array:
        return jnp.broadcast_to(jnp.asarray(leaf)[..., None], (*shape, 2)).ravel()

    return Ends(
        fit=twice(fit),
        number=jax.tree.map(twice, number),
        centre=twice(centres),
        direction=jnp.tile(jnp.array([-1.0, 1.0]), math.prod(shape)),
        first_distance=twice(jnp.where(inside, near, typical)),
        bound=jnp.broadcast_to(bounds, (*shape, 2)).ravel(),
        quantile=twice(quantile),
        longest=twice(jnp.where(inside, jnp.inf, typical)),
    )


def profile_ends(
    number_fn: NumberFn,
    residual_fn: ResidualFn,
    minimiser: AbstractMinimiser,
    fits: Minimised,
    ends: Ends,
    num_ends: Int[Array, ""] | int | None = None,
) -> Float[Array, " ends"]:
    r"""Ends of profile-likelihood intervals of `number_fn(coordinates, data, number)`.

    Each search moves outward, each time from the last refit, until $\zeta$ exceeds the quantile,
    and then closes in. What the spring pulls with is the slope of the profile, so that Newton's
    method can be used, with a bracket to keep it in. The searches share lanes
    (:mod:`jaxgap.fitting.least_squares.lanes`): a step of a lane is a step of its refit, and when
    that has ended the same lane begins the next one.

    **Arguments:**

    - `number_fn`: the number of interest.
    - `residual_fn`, `minimiser`: the least-squares problem.
    - `fits`: its solutions.
    - `ends`: what to look for.
    - `num_ends`: how many of these; by default all.

    **Returns:**

    Where the profile reaches the quantile, or the bound if that is met before, or if the fit
    itself has failed.

    Source: Bates and Watts (1988), Nonlinear Regression Analysis and Its Applications, chapter 6.
    """

    def cost_at(start, data):
        residuals = residual_fn(start, data)
        return jnp.sum(residuals**2)

    start_costs = jax.vmap(jax.vmap(cost_at, in_axes=(0, None)))(fits.starts, fits.data)
    searches = _Searches(number_fn, residual_fn, minimiser, fits, start_costs, ends)
    capacity = len(ends.fit)
    return run_lanes(searches, capacity, capacity if num_ends is None else num_ends, NUM_LANES)


class _Lane(NamedTuple):
    """A search with the refit that is under way for it.

    `inner_cost` and `inner_number` are those of the last refit within the interval,
    `start_numbers` the numbers at the starts.
    """

    search: "_Search"
    refit: PyTree
    inner_cost: Float[Array, ""]
    inner_number: Float[Array, ""]
    start_numbers: Float[Array, " starts"]


class _Searches(AbstractIteration):
    """The searches for the ends of one call of `profile_ends`."""

    number_fn: NumberFn
    residual_fn: ResidualFn
    minimiser: AbstractMinimiser
    fits: Minimised
    start_costs: Float[Array, "fits starts"]
    ends: Ends

    def begin(self, problem: Int[Array, ""]) -> _Lane:
        end, fit, start_costs = self._of(problem)
        room = _room(end)
        trial = jnp.clip(end.first_distance, 0.0, jnp.where(room > 0, room, jnp.inf))
        search = _Search.begin(fit.coordinates, trial)
        search = search._replace(done=(room <= 0) | ~jnp.isfinite(fit.cost))
        numbers = jax.vmap(lambda z: self.number_fn(z, fit.data, end.number))(fit.starts)
        # Not the centre: a fit beyond the other bound is far from there, and no place to begin.
        number = self.number_fn(fit.coordinates, fit.data, end.number)
        lane = _Lane(search, None, fit.cost, number, numbers)
        return self._next_refit(lane, end, fit, start_costs)

    def step(self, problem: Int[Array, ""], state: _Lane) -> _Lane:
        end, fit, start_costs = self._of(problem)
        distance = state.search.trial
        target, stiffness = end.centre + end.direction * distance, _stiffness(fit, end, distance)
        args = (fit.data, end.number, target, stiffness)
        refit = self.minimiser.step(self._pinned, state.refit, args)

        minimum = self.minimiser.minimum(refit)
        number = self.number_fn(minimum.coordinates, fit.data, end.number)
        cost = minimum.cost - ((number - target) * stiffness) ** 2
        zeta = jnp.sqrt(jnp.maximum(cost - fit.cost, 0.0) / fit.variance)
        moved = end.direction * (number - end.centre)
        # The spring's pull is the slope of the profile.
        slope = stiffness**2 * (distance - moved) / (fit.variance * zeta)
        found = _Refit(minimum.coordinates, moved, zeta, slope)
        search = _update(state.search, found, end.quantile, _room(end))
        arrived = state._replace(
            search=search,
            inner_cost=jnp.where(search.outside, state.inner_cost, cost),
            inner_number=jnp.where(search.outside, state.inner_number, number),
        )
        arrived = self._next_refit(arrived, end, fit, start_costs)
        under_way = state._replace(refit=refit)
        is_there = self.minimiser.finished(refit)
        return jax.tree.map(lambda a, b: jnp.where(is_there, a, b), arrived, under_way)

    def finished(self, state: _Lane) -> Bool[Array, ""]:
        return state.search.done | (state.search.num_steps >= _MAX_STEPS)

    def result(self, problem: Int[Array, ""], state: _Lane) -> Float[Array, ""]:
        end, fit, _ = self._of(problem)
        search = state.search
        # A search that ran out of steps on its way out has an end further than it got: the bound.
        # And one that never came out inside has none: it fell back to the fit, where zeta is zero.
        astray = jnp.isinf(search.high) | (search.low == 0)
        lost = astray & ~(jnp.abs(search.relative) < _NEAR)
        beyond = search.at_bound | lost | (_room(end) <= 0) | ~jnp.isfinite(fit.cost)
        distance = jnp.where(beyond, 0.0, search.value)
        found = jnp.where(beyond, end.bound, end.centre + end.direction * distance)
        # Of a fit beyond its bound all of the interval may be there, where nobody looks further.
        all_beyond = jnp.isfinite(end.longest) & (search.high <= 0)
        return jnp.where(all_beyond, end.centre, found)

    def _of(self, problem: Int[Array, ""]) -> tuple[Ends, Minimised, Float[Array, " starts"]]:
        """The end that is looked for, the fit it belongs to, and the costs of that fit's starts."""
        end = jax.tree.map(lambda leaf: leaf[problem], self.ends)
        fit = jax.tree.map(lambda leaf: leaf[end.fit], self.fits)
        return end, fit, self.start_costs[end.fit]

    def _pinned(self, z: Float[Array, " n"], args: Any) -> Float[Array, " m"]:
        """The residuals and the spring."""
        data, number, target, stiffness = args
        spring = (self.number_fn(z, data, number) - target) * stiffness
        return jnp.append(self.residual_fn(z, data), spring)

    def _next_refit(self, lane: _Lane, end: Ends, fit: Minimised, start_costs) -> _Lane:
        """The lane with a refit that begins where a looser spring would leave least squares."""
        distance = lane.search.trial
        numbers = jnp.append(lane.start_numbers, lane.inner_number)
        # A refit that did not follow the spring stood where its map is flat: do not begin there.
        costs = jnp.append(start_costs, jnp.where(lane.search.stuck, jnp.inf, lane.inner_cost))
        target = end.centre + end.direction * distance
        loose = costs + ((numbers - target) * SLACK * _stiffness(fit, end, distance)) ** 2
        candidates = jnp.concatenate([fit.starts, lane.search.inner[None]])
        start = candidates[jnp.argmin(jnp.where(jnp.isnan(loose), jnp.inf, loose))]
        return lane._replace(refit=self.minimiser.begin(start))


def _room(end: Ends) -> Float[Array, ""]:
    return jnp.maximum(end.direction * (end.bound - end.centre), 0.0)


def _stiffness(fit: Minimised, end: Ends, distance: Float[Array, ""]) -> Float[Array, ""]:
    """Of the spring: its scale is a small part of the distance."""
    return jnp.sqrt(fit.variance) / jnp.minimum(distance, end.longest) / SLACK


class _Search(NamedTuple):
    """A bracket of the end, as distances from the centre: `low` is inside, `high` is outside.

    `trial` is where the spring pulls to, `value` the best guess of the end, `relative` zeta over
    the quantile, minus one, at the last refit.
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
    def begin(cls, start, trial) -> "_Search":
        zero, no = jnp.zeros_like(trial), jnp.asarray(False)
        far = zero + jnp.inf
        return cls(start, trial, zero, far, trial, far, no, no, no, no, jnp.zeros((), int))


class _Refit(NamedTuple):
    """What a refit found: how far the number moved, zeta there, and zeta's slope."""

    coordinates: Float[Array, " n"]
    moved: Float[Array, ""]
    zeta: Float[Array, ""]
    slope: Float[Array, ""]


def _update(search: _Search, refit: _Refit, quantile, room) -> _Search:
    """Take in one refit, and choose the next distance."""
    relative = refit.zeta / quantile - 1
    newton = refit.moved - (refit.zeta - quantile) / refit.slope
    # A refit that failed counts as outside: the search then falls back towards the inside.
    failed = ~(jnp.isfinite(relative) & jnp.isfinite(refit.moved))
    outside = failed | (relative > 0)
    moved = jnp.where(failed, search.trial, refit.moved)
    low = jnp.where(outside, search.low, jnp.maximum(moved, search.low))
    high = jnp.where(outside, jnp.minimum(moved, search.high), search.high)
    # A refit that did not follow the spring to the bound says nothing about what it costs there.
    stuck = ~outside & (moved < 0.5 * search.trial)
    at_bound = ~outside & ~stuck & (search.trial >= room) & jnp.isinf(high)
    near = ~failed & (jnp.abs(relative) < _NEAR) & (jnp.abs(newton - moved) < 2 * _NEAR * moved)
    narrow = high - low < _NARROW * high

    # Between both ends by Newton's method, or halfway where that does not settle fast.
    settling = (jnp.abs(relative) < 0.5 * jnp.abs(search.relative)) & ~failed
    between = jnp.where(settling & (newton > low) & (newton < high), newton, 0.5 * (low + high))
    # Outward by Newton's method, but in sizeable steps while the end is not in sight. A spring that
    # hardly moved a steep profile was far too soft: a nearer trial has a stiffer one.
    steep = (refit.slope > 0) & (refit.zeta > 0.05 * quantile)
    too_soft = stuck & steep
    least = jnp.where((relative < -0.1) & ~too_soft, 1.2 * search.trial, moved)
    outward = jnp.clip(jnp.where(steep, newton, jnp.inf), least, 4 * search.trial)
    wanted = jnp.where(jnp.isinf(high), outward, between)
    # The spring gives by as much as it pulls: by about the cube of the distance.
    short = jnp.where(failed, 0.0, jnp.clip(search.trial - moved, 0.0, 0.1 * search.trial))
    trial = wanted + short * jnp.minimum(wanted / search.trial, 2.0) ** 3
    return _Search(
        inner=jnp.where(outside, search.inner, refit.coordinates),
        trial=jnp.minimum(trial, room),
        low=low,
        high=high,
        value=jnp.where(near, newton, wanted),
        relative=jnp.where(failed, search.relative, relative),
        outside=outside,
        stuck=stuck,
        at_bound=at_bound,
        done=at_bound | near | narrow,
        num_steps=search.num_steps + 1,
    )
