"""Walking outward along the profiles of many numbers of many fits together, as one program.

Each refit starts from the last, at distances that aim at fixed levels of confidence. The squares
may have another valley: where a side is found closed, it is walked once more from the start whose
valley is predicted to reach beyond (:mod:`jaxgap.fitting.intervals.reach`).
"""

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from jaxgap.fitting.curves import Curves
from jaxgap.fitting.intervals.bracket import FURTHER
from jaxgap.fitting.intervals.profile import SLACK
from jaxgap.fitting.intervals.reach import reach, start_geometry
from jaxgap.fitting.laws.law import LIMITS, horizon
from jaxgap.fitting.least_squares.batched_levenberg_marquardt import (
    LeastSquares,
    levenberg_marquardt,
)
from jaxgap.fitting.problem import FitProblem
from jaxgap.fitting.selection.search import Fits

TAILS = (0.35, 0.2, 0.1, 0.05, 0.02, 0.005)
"""The tails of confidence that the refits aim at, from the centre outward."""

# A side is closed if it was followed to the root of the first, within the second.
_CLOSING_TAIL = 0.05
_NEARLY = 0.97


def closing_root(targets: Float[Any, "rounds curves"]) -> Float[Any, " curves"]:
    """The roots at which sides count as closed, of roots aimed at."""
    return targets[TAILS.index(_CLOSING_TAIL)] * _NEARLY


class _Lanes(NamedTuple):
    """What differs between refits: the curves, the number, and the spring that holds it."""

    curves: Curves
    elapsed: Float[Array, " lanes"]
    index: Int[Array, " lanes"]
    target: Float[Array, " lanes"]
    stiffness: Float[Array, " lanes"]


def _number(problem: FitProblem, z: Float[Array, " n"], lane: _Lanes) -> Float[Array, ""]:
    """The solver, the verifier or the gap at the lane's time, or its limit."""
    dynamics = problem.dynamics(z, lane.curves)
    is_limit = jnp.isinf(lane.elapsed)
    t = lane.curves.t0 + jnp.where(is_limit, 0.0, lane.elapsed)
    solver, verifier = problem.curve_fn(dynamics, t[None])[0]
    there = jnp.stack([solver, verifier, solver - verifier])
    return jnp.where(is_limit, jnp.stack(dynamics.limits()), there)[lane.index]


def _numbers(
    problem: FitProblem, z: Float[Array, "lanes n"], lanes: _Lanes
) -> Float[Array, " lanes"]:
    """:func:`_number` of every lane."""
    return jax.vmap(lambda z, lane: _number(problem, z, lane))(z, lanes)


def _horizon(lane: _Lanes) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """How far a confidence curve is followed: as far as a limit's interval."""
    low, high = jnp.stack([horizon(limit, lane.curves) for limit in LIMITS], axis=1)
    return low[lane.index], high[lane.index]


def _pinned(problem: FitProblem, z: Float[Array, " n"], lane: _Lanes) -> Float[Array, " m"]:
    spring = (_number(problem, z, lane) - lane.target) * lane.stiffness
    return jnp.append(problem.residuals(z, lane.curves), spring)


class _Walk(NamedTuple):
    """What stays the same while curves are traced outward; a lane for each curve, query and side.

    - `curve`: the index of each lane's curve.
    - `lanes`: the curves and numbers, without springs.
    - `starts`: of the law.
    - `cost`, `variance`: of the fit.
    - `centre`: where each curve begins.
    - `direction`: -1 downward, +1 upward.
    - `scale`: a typical size of the curve's values.
    - `room`: the distance of the horizon from the centre.
    - `beyond`: whether the fit is beyond the horizon, so that the curve is traced from the data.
    - `at_data`: the distance of the data from the centre.
    - `challenger`: the start whose valley is predicted to reach furthest.
    - `challenger_distance`, `challenger_reach`: how far from the centre it is, and reaches.
    """

    curve: Int[Array, " lanes"]
    lanes: _Lanes
    starts: Float[Array, "lanes starts n"]
    cost: Float[Array, " lanes"]
    variance: Float[Array, " lanes"]
    centre: Float[Array, " lanes"]
    direction: Float[Array, " lanes"]
    scale: Float[Array, " lanes"]
    room: Float[Array, " lanes"]
    beyond: Bool[Array, " lanes"]
    at_data: Float[Array, " lanes"]
    challenger: Float[Array, "lanes n"]
    challenger_distance: Float[Array, " lanes"]
    challenger_reach: Float[Array, " lanes"]


class _Step(NamedTuple):
    """Where each lane's next refit starts, and how far from the centre its spring pulls."""

    inner: Float[Array, "lanes n"]
    distance: Float[Array, " lanes"]


@eqx.filter_jit
def walk_outward(
    problem: FitProblem,
    batch: Curves,
    fits: Fits,
    variances: Float[Array, " curves"],
    elapsed: Float[Array, " queries"],
    indices: Int[Array, " queries"],
    targets: Float[Array, "rounds curves"],
):
    """Centres (curves, queries), and values and roots (curves, queries, sides, rounds).

    The first half of the rounds goes outward from the fits, the second from the challengers.
    """
    walk, first = _first_step(problem, batch, fits, variances, elapsed, indices, targets)
    ladder = jnp.stack([targets, jnp.concatenate([targets[1:], targets[-1:]])], axis=1)
    beyond = jnp.broadcast_to(targets[-1], ladder.shape)
    nothing = jnp.full((len(targets), len(walk.curve)), jnp.nan)

    def outward(step, pairs):
        return jax.lax.scan(lambda *each: _refit(problem, walk, *each), step, pairs)[1]

    def once(begun, pairs):
        step, is_asked = begun
        found = jax.lax.cond(is_asked.any(), outward, lambda *_: (nothing, nothing), step, pairs)
        # What was not asked for must not depend on whether another lane of the batch asked.
        values, zetas = (jnp.where(is_asked, leaf, jnp.nan) for leaf in found)
        return _challenge(walk, values, zetas, closing_root(targets)), (values, zetas)

    begun = (first, jnp.ones(len(walk.curve), bool))
    _, (values, zetas) = jax.lax.scan(once, begun, jnp.stack([ladder, beyond]))
    shape = (len(fits.cost), len(elapsed), 2)
    rounds = (2 * len(targets), *shape)
    centre = walk.centre.reshape(shape)[..., 0]
    return centre, *(jnp.moveaxis(leaf.reshape(rounds), 0, -1) for leaf in (values, zetas))


def _first_step(
    problem: FitProblem,
    batch: Curves,
    fits: Fits,
    variances: Float[Array, " curves"],
    elapsed: Float[Array, " queries"],
    indices: Int[Array, " queries"],
    targets: Float[Array, "rounds curves"],
) -> tuple[_Walk, _Step]:
    """The walk, and its first step: from the fits, at the first distances from the centre."""
    shape = (len(fits.cost), len(elapsed), 2)
    curve, query, side = (each.ravel() for each in jnp.indices(shape))
    batch = jax.tree.map(jnp.asarray, batch)
    starts = jax.vmap(problem.law.starts)(batch)
    of_fits = (fits.coordinates, fits.cost, variances)
    best, cost, variance = (jnp.asarray(leaf)[curve] for leaf in of_fits)
    lanes = _Lanes(
        jax.tree.map(lambda leaf: leaf[curve], batch),
        elapsed[query],
        indices[query],
        jnp.zeros(len(curve)),
        jnp.zeros(len(curve)),
    )
    direction = 2.0 * side - 1.0
    scale = lanes.curves.value_scale
    lowest, highest = jax.vmap(_horizon)(lanes)
    centre = jnp.clip(_numbers(problem, best, lanes), lowest, highest)
    room = jnp.abs(jnp.where(direction > 0, highest, lowest) - centre)
    # If the fit is beyond what counts as known, go from the data outward.
    beyond = (_numbers(problem, best, lanes) != centre) & (room > 0)
    of_data = lanes._replace(elapsed=jnp.zeros(len(curve)))
    at_data = jnp.abs(_numbers(problem, best, of_data) - centre)
    stderr = jax.vmap(lambda z, lane, v: _stderr(problem, z, lane, v))(best, lanes, variance)
    first = jnp.clip(targets[0][curve] * stderr, 1e-9 * scale, 0.3 * scale)
    first = jnp.where(beyond, at_data - 0.05 * scale, jnp.minimum(first, room))
    limits = cost + closing_root(targets)[curve] ** 2 * variance
    challenger, numbers, furthest = _challengers(
        problem, batch, starts, curve, lanes, limits, direction
    )
    walk = _Walk(
        curve=curve,
        lanes=lanes,
        starts=starts[curve],
        cost=cost,
        variance=variance,
        centre=centre,
        direction=direction,
        scale=scale,
        room=room,
        beyond=beyond,
        at_data=at_data,
        challenger=challenger,
        challenger_distance=direction * (numbers - centre),
        challenger_reach=direction * (furthest - centre),
    )
    return walk, _Step(best, first)


def _challengers(
    problem: FitProblem,
    batch: Curves,
    starts: Float[Array, "curves starts n"],
    curve: Int[Array, " lanes"],
    lanes: _Lanes,
    limits: Float[Array, " lanes"],
    directions: Float[Array, " lanes"],
) -> tuple[Float[Array, "lanes n"], Float[Array, " lanes"], Float[Array, " lanes"]]:
    """Of each lane, the start whose valley is predicted to reach furthest, its number and reach."""

    def geometries(starts, curves):
        return jax.vmap(lambda z: start_geometry(lambda z: problem.residuals(z, curves), z))(starts)

    def furthest(starts, around, lane, limit, direction):
        def reach_of(start, around):
            number = _number(problem, start, lane)
            gradient = jax.jacfwd(lambda z: _number(problem, z, lane))(start)
            return number, reach(around, number, gradient, limit, direction)

        numbers, reaches = jax.vmap(reach_of)(starts, around)
        best = jnp.argmax(direction * reaches)
        return starts[best], numbers[best], reaches[best]

    around = jax.tree.map(lambda leaf: leaf[curve], jax.vmap(geometries)(starts, batch))
    return jax.vmap(furthest)(starts[curve], around, lanes, limits, directions)


def _challenge(
    walk: _Walk,
    values: Float[Array, "rounds lanes"],
    zetas: Float[Array, "rounds lanes"],
    enough: Float[Array, " curves"],
) -> tuple[_Step, Bool[Array, " lanes"]]:
    """The first step from the challengers, and which of them are predicted to reach beyond."""
    moved = walk.direction * (values - walk.centre)
    end = jnp.min(moved, axis=0, where=zetas >= enough[walk.curve], initial=jnp.inf)
    is_further = walk.challenger_reach > jnp.minimum(FURTHER * end, walk.room)
    distance = FURTHER * jnp.clip(walk.challenger_distance, end, walk.room)
    step = _Step(walk.challenger, jnp.minimum(distance, walk.room))
    return step, jnp.isfinite(end) & is_further & (walk.room > 0) & ~walk.beyond


def _refit(
    problem: FitProblem, walk: _Walk, step: _Step, targets: Float[Array, "2 curves"]
) -> tuple[_Step, tuple[Float[Array, " lanes"], Float[Array, " lanes"]]]:
    """Refit every lane: the next step, and the value and root reached.

    `targets` are the roots aimed at in this step and in the next.
    """
    inner, distance = step
    stiffness = jnp.sqrt(walk.variance) / jnp.maximum(distance, 1e-12 * walk.scale)
    target = walk.centre + walk.direction * distance
    loose = walk.lanes._replace(target=target, stiffness=stiffness)
    other = jax.vmap(lambda *each: _nearest(problem, *each))(walk.starts, loose)
    tight = loose._replace(stiffness=stiffness / SLACK)
    found = _better_of(problem, tight, inner, other)
    values = _numbers(problem, found.y, walk.lanes)
    spring = ((values - tight.target) * tight.stiffness) ** 2
    zeta = jnp.sqrt(jnp.maximum(2 * found.cost - spring - walk.cost, 0.0) / walk.variance)
    wanted = targets[1][walk.curve] / jnp.maximum(zeta, 1e-6)
    failed = ~jnp.isfinite(zeta)
    factor = jnp.where(failed, 0.5, jnp.clip(wanted, 0.1, 4.0))
    inner = jnp.where(failed[:, None], inner, found.y)
    onward = jnp.minimum(distance * factor, walk.room)
    onward = jnp.where(walk.beyond, 2 * distance - walk.at_data, onward)
    return _Step(inner, onward), (values, zeta)


def _nearest(problem: FitProblem, starts, lane: _Lanes) -> Float[Array, " n"]:
    """The start of the law with the least cost, spring included."""
    costs = jax.vmap(lambda z: jnp.sum(_pinned(problem, z, lane) ** 2))(starts)
    return starts[jnp.nanargmin(costs)]


def _better_of(problem: FitProblem, lanes: _Lanes, first, second) -> LeastSquares:
    """The better of two refits: from the last refit, which may be stuck, and from elsewhere."""
    num_lanes = len(first)
    both = jax.tree.map(lambda leaf: jnp.concatenate([leaf, leaf]), lanes)
    found = levenberg_marquardt(
        lambda z, lane: _pinned(problem, z, lane), jnp.concatenate([first, second]), both
    )
    cost = jnp.where(jnp.isfinite(found.cost), found.cost, jnp.inf)
    index = jnp.arange(num_lanes)
    better = jnp.where(cost[:num_lanes] <= cost[num_lanes:], index, index + num_lanes)
    return jax.tree.map(lambda leaf: leaf[better], found)


def _stderr(problem: FitProblem, z, lane: _Lanes, variance) -> Float[Array, ""]:
    """Standard error by the delta method, with a weak prior of ten units on each coordinate."""
    jacobian = jax.jacfwd(lambda z: problem.residuals(z, lane.curves))(z)
    slope = jax.jacfwd(lambda z: _number(problem, z, lane))(z)
    information = jacobian.T @ jacobian / variance + 0.01 * jnp.eye(len(z))
    return jnp.sqrt(jnp.maximum(slope @ jnp.linalg.solve(information, slope), 0.0))
