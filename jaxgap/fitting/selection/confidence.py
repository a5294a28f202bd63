r"""Confidence curves: the intervals of a number at every level at once.

If the profile likelihood of a number has the signed root $\zeta(c)$ at the value $c$ (see
:mod:`jaxgap.fitting.intervals.profile`), then $C(c) = F(\zeta(c))$, with $F$ the distribution
function of Student's t, is the confidence that the number lies below $c$: its $\alpha / 2$ and
$1 - \alpha / 2$ points are the ends of the profile interval, for every $\alpha$. Averaging over
laws needs the whole curve, since an end of the average may be in the middle of one law's curve and
in the tail of another's.

A curve is traced from its centre outward, each refit starting from the last, at distances that aim
at fixed levels of confidence. Every refit is exactly on the profile wherever it ends up, so no
search is needed and all curves of a batch go through the solver's queue together.
"""

from collections.abc import Sequence
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int
from scipy.special import ndtr, ndtri, stdtr, stdtrit

from jaxgap.fitting.curves import Curves
from jaxgap.fitting.intervals.profile import SLACK
from jaxgap.fitting.laws.law import LIMITS, horizon
from jaxgap.fitting.least_squares.batched_levenberg_marquardt import (
    LeastSquares,
    levenberg_marquardt,
)
from jaxgap.fitting.precision import double_precision
from jaxgap.fitting.problem import FitProblem
from jaxgap.fitting.selection.search import Fits, noise_variances, padded_batch, repeat_last

# The tails at which a curve is traced, from its centre outward.
_TAILS = (0.35, 0.2, 0.1, 0.05, 0.02, 0.005)


class Query(NamedTuple):
    """A number of a fit: the solver (0), the verifier (1) or the gap (2) at some time.

    Times count from the first measured one; an infinite time is the limit.
    """

    elapsed: float
    index: int


class ConfidenceCurve(NamedTuple):
    """Confidence that a number lies below each value, given as signed roots at increasing values.

    Beyond its ends a curve is constant: on a side where the data set no bound, confidence never
    reaches 0 or 1.
    """

    values: Float[np.ndarray, " knots"]
    zetas: Float[np.ndarray, " knots"]
    dof: float

    def __call__(self, values: Float[np.ndarray, " m"]) -> Float[np.ndarray, " m"]:
        """The confidence at each of `values`."""
        zeta = _pchip(self.values, self.zetas, values)
        return ndtr(zeta) if np.isinf(self.dof) else stdtr(self.dof, zeta)


def average(
    curves: Sequence[ConfidenceCurve],
    weights: Sequence[float],
    confidences: Float[np.ndarray, " m"],
) -> Float[np.ndarray, " m"]:
    r"""The values at which the average of confidence curves reaches the given confidences.

    $$\sum_m w_m\, C_m(c) = p.$$

    At $p = \alpha / 2$ and $1 - \alpha / 2$ these are the ends of the model-averaged tail-area
    interval.

    **Arguments:**

    - `curves`: one for each law.
    - `weights`: nonnegative, summing to one.
    - `confidences`: each in (0, 1).

    **Returns:**

    The values, infinite where the average never gets that low or high.

    Source: Turek and Fletcher, *Model-averaged Wald confidence intervals*, Comput. Stat. Data
    Anal. 56 (2012), with profiles in place of their Wald intervals, as Fletcher and Turek (2012).
    """
    knots = np.unique(np.concatenate([curve.values for curve in curves]))
    parts = np.linspace(0, 1, 8, endpoint=False)
    grid = np.append((knots[:-1, None] + np.diff(knots)[:, None] * parts).ravel(), knots[-1])
    total = sum(w * curve(grid) for w, curve in zip(weights, curves, strict=True))
    scores = np.maximum.accumulate(ndtri(np.clip(total, 1e-12, 1 - 1e-12)))
    wanted = ndtri(confidences)
    found = np.interp(wanted, scores, grid)
    found = np.where(wanted < scores[0], -np.inf, found)
    return np.where(wanted > scores[-1], np.inf, found)


def confidence_curves(
    problem: FitProblem,
    curves: Sequence[Curves],
    fits: Fits,
    dofs: Float[np.ndarray, " curves"],
    queries: Sequence[Query],
) -> list[list[ConfidenceCurve]]:
    """Trace the confidence curve of every query for every curve of a batch.

    **Arguments:**

    - `problem`, `curves`: as for :func:`best_fits`, and `fits` from there.
    - `dofs`: the degrees of freedom of Student's t: infinite where the noise is known.
    - `queries`: the numbers to trace, the same for every curve.

    **Returns:**

    One list for each curve, with one :class:`ConfidenceCurve` for each query.
    """
    size, batch = len(curves), padded_batch(curves, smallest=1)
    tails = np.array(_TAILS)[:, None]
    targets = np.where(np.isinf(dofs), -ndtri(tails), -stdtrit(np.clip(dofs, 1, 1e6), tails))
    variances = noise_variances(fits, dofs)
    leaves = [repeat_last(leaf, len(batch.t0)) for leaf in (*fits, variances, targets.T)]
    elapsed = np.array([query.elapsed for query in queries])
    indices = np.array([query.index for query in queries])
    with double_precision():
        arrays = map(jnp.asarray, (leaves[3], elapsed, indices, leaves[4].T))
        traced = _trace(problem, batch, Fits(*leaves[:3]), *arrays)
        centres, values, zetas = (np.asarray(leaf)[:size] for leaf in traced)
    enough = targets[_TAILS.index(0.05)] * 0.97
    return [
        [
            _curve(centres[i, q], values[i, q], zetas[i, q], enough[i], dofs[i])
            for q in range(len(queries))
        ]
        for i in range(size)
    ]


def _curve(centre, values, zetas, enough, dof) -> ConfidenceCurve:
    """Join what was traced below and above the centre; `values` and `zetas` are (2, rounds)."""
    noise = 1e-9 * np.nanmax(np.abs(values - centre))
    below, zeta_below = _side(centre - values[0], zetas[0], noise, enough)
    above, zeta_above = _side(values[1] - centre, zetas[1], noise, enough)
    knots = np.concatenate([centre - below[::-1], [centre], centre + above])
    scores = np.concatenate([-zeta_below[::-1], [0.0], zeta_above])
    kept = np.diff(knots, prepend=-np.inf) > 0
    return ConfidenceCurve(knots[kept], scores[kept], float(dof))


def _side(distances, zetas, noise, enough):
    """The points of one side by distance, with one beyond them if the side is closed."""
    usable = np.isfinite(distances) & np.isfinite(zetas) & (distances > noise)
    order = np.argsort(distances[usable])
    distances, zetas = distances[usable][order], zetas[usable][order]
    # A refit may be stuck above the profile, never below: closer points cannot be higher.
    zetas = np.minimum.accumulate(zetas[::-1])[::-1]
    if len(zetas) and zetas[-1] >= enough:
        # Extrapolate past the last point along the straight line from the centre.
        distances, zetas = np.append(distances, 8 * distances[-1]), np.append(zetas, 8 * zetas[-1])
    return distances, zetas


def _pchip(x, y, at):
    """Monotone cubic interpolation, constant beyond the ends."""
    from scipy.interpolate import PchipInterpolator

    if len(x) < 2:
        return np.zeros_like(at)
    return PchipInterpolator(x, y)(np.clip(at, x[0], x[-1]))


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
    - `reach`: the distance of the data from the centre.
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
    reach: Float[Array, " lanes"]


class _Step(NamedTuple):
    """Where each lane's next refit starts, and how far from the centre its spring pulls."""

    inner: Float[Array, "lanes n"]
    distance: Float[Array, " lanes"]


@eqx.filter_jit
def _trace(
    problem: FitProblem,
    batch: Curves,
    fits: Fits,
    variances: Float[Array, " curves"],
    elapsed: Float[Array, " queries"],
    indices: Int[Array, " queries"],
    targets: Float[Array, "rounds curves"],
):
    """Centres (curves, queries), and values and roots (curves, queries, sides, rounds)."""
    walk, first = _first_step(problem, batch, fits, variances, elapsed, indices, targets[0])
    pairs = jnp.stack([targets, jnp.concatenate([targets[1:], targets[-1:]])], axis=1)
    _, (values, zetas) = jax.lax.scan(
        lambda step, targets: _refit(problem, walk, step, targets), first, pairs
    )
    shape = (len(fits.cost), len(elapsed), 2)
    rounds = (len(targets), *shape)
    centre = walk.centre.reshape(shape)[..., 0]
    return centre, *(jnp.moveaxis(leaf.reshape(rounds), 0, -1) for leaf in (values, zetas))


def _first_step(
    problem: FitProblem,
    batch: Curves,
    fits: Fits,
    variances: Float[Array, " curves"],
    elapsed: Float[Array, " queries"],
    indices: Int[Array, " queries"],
    target: Float[Array, " curves"],
) -> tuple[_Walk, _Step]:
    """The walk, and its first step: from the fits, at the first distances from the centre."""
    shape = (len(fits.cost), len(elapsed), 2)
    curve, query, side = (each.ravel() for each in jnp.indices(shape))
    batch = jax.tree.map(jnp.asarray, batch)
    starts = jax.vmap(problem.law.starts)(batch)[curve]
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
    at_data = lanes._replace(elapsed=jnp.zeros(len(curve)))
    reach = jnp.abs(_numbers(problem, best, at_data) - centre)
    stderr = jax.vmap(lambda z, lane, v: _stderr(problem, z, lane, v))(best, lanes, variance)
    first = jnp.clip(target[curve] * stderr, 1e-9 * scale, 0.3 * scale)
    first = jnp.where(beyond, reach - 0.05 * scale, jnp.minimum(first, room))
    walk = _Walk(
        curve=curve,
        lanes=lanes,
        starts=starts,
        cost=cost,
        variance=variance,
        centre=centre,
        direction=direction,
        scale=scale,
        room=room,
        beyond=beyond,
        reach=reach,
    )
    return walk, _Step(best, first)


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
    onward = jnp.where(walk.beyond, 2 * distance - walk.reach, onward)
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
