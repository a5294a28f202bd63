r"""Profile likelihood: how far a number can move before the best fit suffers.

Let $g(z)$ be a number of interest, a parameter or a limit. Its profile is the smallest sum of
squares with $g$ fixed at $c$, and

$$\zeta(c) = \sqrt{\frac{\min_{g(z) = c} S(z) - S_{\min}}{\sigma^2}}$$

is, up to a sign, distributed like Student's t. The interval is where $\zeta$ stays below the t
quantile. Unlike an interval from the curvature it follows a skewed profile, and it is open where
$\zeta$ never reaches the quantile: where the data do not determine the number at all.

$g$ is fixed by one more residual, a stiff spring that pulls it towards $c$. Whatever value $g$ then
takes, the point is a minimum of $S$ given that value, hence exactly on the profile: the spring
needs no tuning, and any function $g$ of the coordinates can be profiled.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, PyTree

from jaxgap.fitting.intervals.bracket import FURTHER, NEAR, Bracket, Refit, begun_again, updated
from jaxgap.fitting.intervals.reach import StartGeometry, reach, start_geometry
from jaxgap.fitting.least_squares.lanes import AbstractIteration, run_lanes
from jaxgap.fitting.least_squares.minimiser import NUM_LANES, AbstractMinimiser, ResidualFn

# A number of interest: from coordinates, the data of the fit, and which number it is.
NumberFn = Callable[[Float[Array, " n"], Any, Any], Float[Array, ""]]

# The spring's scale as a fraction of the distance that g has moved.
SLACK = 0.02
_MAX_STEPS = 24
# This close to the quantile the last estimate stands though the steps ran out.
_CLOSE = 10 * NEAR


class Minimised(NamedTuple):
    """The fits around which to profile, every field with a leading axis of fits.

    - `coordinates`, `cost`: of the minimum.
    - `search_start`: where the searches start, the minimum itself or a fair fit off its bounds
        (:func:`jaxgap.fitting.intervals.search_start.search_start`).
    - `variance`: of the noise.
    - `starts`: further points, each a fair fit, spread over the plausible range. A refit starts
        from one of these if the last refit is a worse place to start.
    - `data`: the `args` of the residuals.
    """

    coordinates: Float[Array, "fits n"]
    search_start: Float[Array, "fits n"]
    cost: Float[Array, " fits"]
    variance: Float[Array, " fits"]
    starts: Float[Array, "fits starts n"]
    data: PyTree

    def as_batch(self) -> "Minimised":
        """A single fit, without a leading axis, as a batch of one."""
        return jax.tree.map(lambda leaf: jnp.asarray(leaf)[None], self)


class Ends(NamedTuple):
    """The interval ends to search for, every field with a leading axis of ends.

    - `fit`: the index of the fit.
    - `number`: which number, as passed to the number's function.
    - `centre`: where the search starts: the number at the fit, or the bound if the fit is beyond
        it.
    - `direction`: +1 for the upper end, -1 for the lower.
    - `first_distance`: the first step, > 0; the right order of magnitude, roughly, is enough.
    - `bound`: where to stop: the number's natural bound on that side, or so far off that the number
        counts as unknown.
    - `quantile`: of Student's t, or of the normal distribution where the noise is known.
    - `longest`: the distance beyond which the spring gets no softer. It matters where a search
        starts from a bound, far off the data's scale, and moves back towards it.
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

    For an estimate beyond a bound the search starts from the bound. There the curvature at the fit
    says nothing about how far to go, so the first step is the typical size.

    **Arguments:** all are broadcast to one shape, that of the intervals.

    - `number`: which numbers, as passed to their function.
    - `estimates`: the numbers at their fits.
    - `bounds`: how far they may go down and up.
    - `stderrs`: their approximate standard errors, which set the first step, as one far too long
        would go astray. Infinite or NaN where unknown.
    - `typical`: the typical size of such numbers, > 0.
    - `quantile`: of the interval.
    - `fit`: the index of each number's fit.
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
    and then closes in. The force of the spring gives the slope of the profile, so Newton's method
    can be used, safeguarded by a bracket. The squares may have another valley: once an end is
    found, the search begins again beyond it from the start whose valley is predicted to reach
    furthest (:mod:`jaxgap.fitting.intervals.reach`). The searches share lanes
    (:mod:`jaxgap.fitting.least_squares.lanes`): a step of a lane is a step of its refit, and when
    one refit ends the lane starts the next.

    **Arguments:**

    - `number_fn`: the number of interest.
    - `residual_fn`, `minimiser`: the least-squares problem.
    - `fits`: its solutions.
    - `ends`: what to search for.
    - `num_ends`: how many of these; by default all.

    **Returns:**

    Where the profile reaches the quantile, or the bound if that comes first or the fit itself has
    failed.

    Source: Bates and Watts (1988), Nonlinear Regression Analysis and Its Applications, chapter 6.
    """

    def geometries(starts, data):
        return jax.vmap(lambda start: start_geometry(lambda z: residual_fn(z, data), start))(starts)

    geometry = jax.vmap(geometries)(fits.starts, fits.data)
    starts = _starts(number_fn, fits, geometry, ends)
    searches = _Searches(number_fn, residual_fn, minimiser, fits, ends, starts)
    capacity = len(ends.fit)
    return run_lanes(searches, capacity, capacity if num_ends is None else num_ends, NUM_LANES)


class _Starts(NamedTuple):
    """What the starts of a fit are to one end, or with a leading axis to all.

    - `costs`, `numbers`: at each start.
    - `challenger`: the start whose valley is predicted to reach furthest.
    - `reach`: how far it reaches from the centre.
    """

    costs: Float[Array, "*ends starts"]
    numbers: Float[Array, "*ends starts"]
    challenger: Int[Array, "*ends"]
    reach: Float[Array, "*ends"]


class _Lane(NamedTuple):
    """A search with its current refit, and the end, fit and starts that it is about.

    `inner_cost` and `inner_number` are those of the last refit inside the interval.
    `in_one_valley`: whether the search no longer returns to the starts.
    """

    end: Ends
    fit: Minimised
    starts: _Starts
    search: Bracket
    refit: PyTree
    inner_cost: Float[Array, ""]
    inner_number: Float[Array, ""]
    in_one_valley: Bool[Array, ""]


class _Searches(AbstractIteration):
    """The searches for the ends of one call of `profile_ends`."""

    number_fn: NumberFn
    residual_fn: ResidualFn
    minimiser: AbstractMinimiser
    fits: Minimised
    ends: Ends
    starts: _Starts

    def begin(self, problem: Int[Array, ""]) -> _Lane:
        end, starts = jax.tree.map(lambda leaf: leaf[problem], (self.ends, self.starts))
        fit = jax.tree.map(lambda leaf: leaf[end.fit], self.fits)
        room = _room(end)
        trial = jnp.clip(end.first_distance, 0.0, jnp.where(room > 0, room, jnp.inf))
        search = Bracket.begin(fit.search_start, trial)
        search = search._replace(done=(room <= 0) | ~jnp.isfinite(fit.cost))
        # Not the centre: if the fit is beyond a bound, its own number is far from there.
        number = self.number_fn(fit.search_start, fit.data, end.number)
        lane = _Lane(end, fit, starts, search, None, fit.cost, number, jnp.asarray(False))
        return self._next_refit(lane)

    def step(self, state: _Lane) -> _Lane:
        end, fit = state.end, state.fit
        distance = state.search.trial
        target, stiffness = end.centre + end.direction * distance, _stiffness(fit, end, distance)
        args = (fit.data, end.number, target, stiffness)
        refit = self.minimiser.step(self._pinned, state.refit, args)

        minimum = self.minimiser.minimum(refit)
        number = self.number_fn(minimum.coordinates, fit.data, end.number)
        cost = minimum.cost - ((number - target) * stiffness) ** 2
        zeta = jnp.sqrt(jnp.maximum(cost - fit.cost, 0.0) / fit.variance)
        moved = end.direction * (number - end.centre)
        # The force of the spring gives the slope of the profile.
        slope = stiffness**2 * (distance - moved) / (fit.variance * zeta)
        found = Refit(minimum.coordinates, moved, zeta, slope)
        search = updated(state.search, found, end.quantile, _room(end))
        arrived = state._replace(
            search=search,
            inner_cost=jnp.where(search.outside, state.inner_cost, cost),
            inner_number=jnp.where(search.outside, state.inner_number, number),
        )
        arrived = self._next_refit(_challenged(arrived))
        under_way = state._replace(refit=refit)
        is_there = self.minimiser.finished(refit)
        return jax.tree.map(lambda a, b: jnp.where(is_there, a, b), arrived, under_way)

    def finished(self, state: _Lane) -> Bool[Array, ""]:
        return state.search.done | (state.search.num_steps >= _MAX_STEPS)

    def result(self, state: _Lane) -> Float[Array, ""]:
        end, fit, search = state.end, state.fit, state.search
        # A search that ran out of steps while moving outward has not reached the end: report the
        # bound. So too if no refit came out inside: it fell back to the fit, where zeta is zero.
        astray = jnp.isinf(search.high) | (search.low == 0)
        lost = astray & ~(jnp.abs(search.relative) < _CLOSE)
        room = _room(end)
        unbounded = search.at_bound | (search.value >= room) | (room <= 0)
        beyond = unbounded | lost | ~jnp.isfinite(fit.cost)
        distance = jnp.where(beyond, 0.0, search.value)
        found = jnp.where(beyond, end.bound, end.centre + end.direction * distance)
        # If the fit is beyond its bound, the whole interval may be, and is not followed there.
        all_beyond = jnp.isfinite(end.longest) & (search.high <= 0)
        return jnp.where(all_beyond, end.centre, found)

    def _pinned(self, z: Float[Array, " n"], args: Any) -> Float[Array, " m"]:
        """The residuals and the spring."""
        data, number, target, stiffness = args
        spring = (self.number_fn(z, data, number) - target) * stiffness
        return jnp.append(self.residual_fn(z, data), spring)

    def _next_refit(self, lane: _Lane) -> _Lane:
        """The lane with a new refit, from the candidate of least cost under a looser spring."""
        end, fit, starts = lane.end, lane.fit, lane.starts
        distance = lane.search.trial
        numbers = jnp.append(starts.numbers, lane.inner_number)
        start_costs = jnp.where(lane.in_one_valley, jnp.inf, starts.costs)
        # A refit that did not follow the spring is stuck where the map is flat: do not start there.
        avoided = lane.search.stuck & ~lane.in_one_valley
        costs = jnp.append(start_costs, jnp.where(avoided, jnp.inf, lane.inner_cost))
        target = end.centre + end.direction * distance
        loose = costs + ((numbers - target) * SLACK * _stiffness(fit, end, distance)) ** 2
        candidates = jnp.concatenate([fit.starts, lane.search.inner[None]])
        start = candidates[jnp.argmin(jnp.where(jnp.isnan(loose), jnp.inf, loose))]
        return lane._replace(refit=self.minimiser.begin(start))


def _starts(number_fn: NumberFn, fits: Minimised, geometry: StartGeometry, ends: Ends) -> _Starts:
    """What the starts are to each end."""

    def starts_of(end: Ends) -> _Starts:
        fit, around = jax.tree.map(lambda leaf: leaf[end.fit], (fits, geometry))
        limit = fit.cost + end.quantile**2 * fit.variance

        def number_of(z):
            return number_fn(z, fit.data, end.number)

        def reach_of(start, number, around):
            return reach(around, number, jax.jacfwd(number_of)(start), limit, end.direction)

        numbers = jax.vmap(number_of)(fit.starts)
        furthest = jax.vmap(reach_of)(fit.starts, numbers, around)
        reaches = end.direction * (furthest - end.centre)
        challenger = jnp.argmax(reaches)
        return _Starts(around.cost, numbers, challenger, reaches[challenger])

    return jax.vmap(starts_of)(ends)


def _challenged(lane: _Lane) -> _Lane:
    """The lane, or once it has found an end, one that searches beyond it from the challenger."""
    end, fit, starts, search = lane.end, lane.fit, lane.starts, lane.search
    start = starts.challenger
    moved = end.direction * (starts.numbers[start] - end.centre)
    restarted = lane._replace(
        search=begun_again(search, fit.starts[start], moved, _room(end)),
        inner_cost=starts.costs[start],
        inner_number=starts.numbers[start],
        in_one_valley=jnp.ones_like(lane.in_one_valley),
    )
    closed = search.done & ~search.at_bound & ~lane.in_one_valley & (search.value > 0)
    is_further = starts.reach > jnp.minimum(FURTHER * search.value, _room(end))
    return jax.tree.map(lambda a, b: jnp.where(closed & is_further, a, b), restarted, lane)


def _room(end: Ends) -> Float[Array, ""]:
    return jnp.maximum(end.direction * (end.bound - end.centre), 0.0)


def _stiffness(fit: Minimised, end: Ends, distance: Float[Array, ""]) -> Float[Array, ""]:
    """The stiffness of the spring, whose scale is a small fraction of the distance."""
    return jnp.sqrt(fit.variance) / jnp.minimum(distance, end.longest) / SLACK
