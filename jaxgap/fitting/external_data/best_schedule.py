r"""The best schedule: where to spend a budget of external data, by gradient.

The solver's limit is a smooth function of the shares, and the shares lie on a simplex,
$\eta \ge 0$, $\sum\eta = 1$. The optimum is often a corner (all of it at once) or on an edge. A
softmax would reach those only at infinity, so the constraints are kept explicit: SciPy's SLSQP gets
JAX's exact gradient.

The limit need not be convex in the shares, hence several starts: all in the first round, all in the
last, equal shares, two decreasing sequences of shares, and, of equal shares over any consecutive
rounds, those with the lowest limits. The best may still be a local one. `slack` bounds, to first
order, what moving the budget a little could still gain.

The equations have no floor, so the lowest limit may be one that the model does not allow. In the
limit the capabilities differ by $G_\infty$ whatever the shares, so that no schedule within the
model can end below $\max(0, G_\infty)$. Between the jumps both capabilities fall, and each jump
lowers the limit towards which they fall, as long as there is something left to divide: so a law
that is valid by itself leaves the model exactly if that limit is below $\max(0, G_\infty)$ after
some jump. (Dividing a negative $U_v$ would raise it again.) If `lowest` is outside the model and
some other schedule is within it, a mixture of the two ends exactly at $\max(0, G_\infty)$. If no
start is within the model, such a schedule is sought by raising the lowest of the limits after each
jump, from the mildest starts.

A lagged law also leaves the model where a jump brings it to a standstill. Its limit is then where
it stands, far above all others, with zero slopes. Where a strong jump does so from every start, a
schedule within the model may be missed.
"""

import itertools
from collections.abc import Callable
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from numpy.typing import ArrayLike
from scipy.optimize import minimize

from jaxgap.dynamics.external_data import ExternalData
from jaxgap.dynamics.gap_dynamics import GapDynamics
from jaxgap.dynamics.injected_dynamics import InjectedDynamics
from jaxgap.dynamics.types import as_floats
from jaxgap.fitting.external_data.schedule import DataSchedule, check_rounds
from jaxgap.fitting.external_data.under_schedule import (
    LimitSlopes,
    check_formula,
    invalid_reason,
    limit_and_slopes,
    limit_slopes,
    solver_limit,
)
from jaxgap.fitting.precision import double_precision

# Shares smaller than this are numerical noise of the optimiser.
_DUST = 1e-9
# Margin to the edge of the model, as a fraction of the initial U_s, so that round-off stays inside.
_CLEARANCE = 1e-9
_NUM_HALVINGS = 50
# How many starts of equal shares over consecutive rounds there are, at most.
_NUM_BLOCKS = 3
# At how many rounds these begin or end, at most: there are half as many as its square, each as long
# as there are rounds.
_NUM_ENDS = 100
# From how many starts a schedule within the model is sought if none of them is one.
_NUM_RAISED = 3
# Changes of the scaled objective at which a search ends.
_PRECISELY, _ROUGHLY = 1e-14, 1e-8


class BestSchedule(NamedTuple):
    """The schedule within the model that has the lowest solver limit.

    - `schedule`: the schedule, named "best". If none is found within the model, this is `lowest`.
    - `slopes`: the limit and its derivatives there.
    - `slack`: how much further the limit could be lowered, to first order: zero if no small move of
        the budget helps (a larger one still might), or if the limit is the lowest that the model
        allows. The smaller of $\\sum_j \\eta_j g_j - \\min_j g_j \\ge 0$, with $g$ the slopes by
        shares, and $U_{s,\\infty} - \\max(0, G_\\infty)$ if that is not negative.
    - `lowest`: the schedule with the lowest limit, whether or not the model holds there.
    - `reason`: how the model breaks down under `lowest`, in words; `None` if it holds, and then
        `lowest` is `schedule`.
    """

    schedule: DataSchedule
    slopes: LimitSlopes
    slack: float
    lowest: DataSchedule
    reason: str | None

    @property
    def valid(self) -> bool:
        """Whether the model holds under `schedule`."""
        return self.reason is None or self.schedule is not self.lowest


def best_schedule(dynamics: GapDynamics, strength: float, times: ArrayLike) -> BestSchedule:
    r"""The shares of a budget over given rounds that minimise the solver's limit.

    $$\min_{\eta} U_{s,\infty}(\eta) \quad \text{with} \quad \eta_j \ge 0,\ \sum_j \eta_j = 1,
      \ U_{s,\infty} \ge \max(0, G_\infty).$$

    Without the last condition, which keeps $U_s$ and $U_v$ from falling below zero, the result
    would be `lowest`. If the condition is active, many schedules reach the same limit; the one
    returned is a mixture of `lowest` and a schedule well within the model.

    The limit need not be convex. The search runs from several starts and keeps the lowest result,
    which may still be a local minimum.

    **Arguments:**

    - `dynamics`: a law with a closed form and a rank-one coupling.
    - `strength`: $\gamma \ge 0$.
    - `times`: the rounds to choose from, increasing, none before `dynamics.t0`.

    **Returns:**

    A :class:`BestSchedule`.

    **Raises:**

    `InputError` (a `ValueError`) for times that do not increase from `dynamics.t0` on, or a
    strength that is negative or not finite; `ValueError` for another law.

    **Example:**

    >>> from jaxgap.dynamics import LinearPotential, RankOneCoupling
    >>> dynamics = GapDynamics(LinearPotential(0.5, 0.0), RankOneCoupling(0.5), 5.0, 3.0)
    >>> best_schedule(dynamics, 0.2, [0.0, 1.0, 2.0]).schedule.shares.round(6).tolist()
    [1.0, 0.0, 0.0]

    The limit is derived from the jump of Sun et al. (arXiv:2507.00075v4), section 5, which claims
    that no schedule is better than another.
    """
    check_formula(dynamics, strength)
    times = DataSchedule.uniform(times).times
    check_rounds(times, float(dynamics.t0))
    starts = _starts(dynamics, strength, times)
    shares = _lowest_shares(dynamics, strength, times, starts)
    lowest = DataSchedule("best", times, shares)
    reason = invalid_reason(dynamics, lowest, strength)
    within = None if reason is None else _on_the_edge(dynamics, strength, lowest, starts)
    schedule = lowest if within is None else within
    slopes = limit_slopes(dynamics, schedule, strength)
    slack = float(schedule.shares @ slopes.by_shares - slopes.by_shares.min())
    above = slopes.limit - _least_limit(dynamics)
    return BestSchedule(
        schedule, slopes, min(slack, above) if above >= 0 else slack, lowest, reason
    )


def _lowest_shares(
    dynamics: GapDynamics,
    strength: float,
    times: Float[np.ndarray, " n"],
    starts: list[Float[np.ndarray, " n"]],
) -> Float[np.ndarray, " n"]:
    """The shares of the lowest limit, whether or not the model holds there."""
    with double_precision():
        law, rounds, gamma = as_floats((dynamics, times, strength))

        def limit(shares):
            value, (slopes, _) = limit_and_slopes(law, rounds, shares, gamma)
            return value, slopes

        found = [_descend(limit, start, _PRECISELY) for start in starts]
        return found[int(np.argmin([limit(shares)[0] for shares in found]))]


def _on_the_edge(
    dynamics: GapDynamics,
    strength: float,
    lowest: DataSchedule,
    starts: list[Float[np.ndarray, " n"]],
) -> DataSchedule | None:
    """A schedule with the lowest limit that the model allows; `None` if none is found within it."""

    def of(shares: Float[np.ndarray, " n"]) -> DataSchedule:
        return DataSchedule("best", lowest.times, shares)

    def limit(schedule: DataSchedule) -> float:
        return limit_slopes(dynamics, schedule, strength).limit

    def valid(schedule: DataSchedule) -> bool:
        return invalid_reason(dynamics, schedule, strength) is None

    inside = list(filter(valid, map(of, starts)))
    if inside:
        mildest = max(inside, key=limit)
    else:
        raised = map(of, _raised(dynamics, strength, lowest.times, starts))
        mildest = next(filter(valid, raised), None)
    if mildest is None:
        return None
    safe = mildest.shares

    def mixed(part: float) -> DataSchedule:
        return of((1 - part) * lowest.shares + part * safe)

    least = _least_limit(dynamics) + _CLEARANCE * abs(float(dynamics.solver_initial))
    outside, within = 0.0, 1.0
    for _ in range(_NUM_HALVINGS):
        part = 0.5 * (outside + within)
        if limit(mixed(part)) >= least and valid(mixed(part)):
            within = part
        else:
            outside = part
    return mixed(within)


def _raised(
    dynamics: GapDynamics,
    strength: float,
    times: Float[np.ndarray, " n"],
    starts: list[Float[np.ndarray, " n"]],
) -> list[Float[np.ndarray, " n"]]:
    """Shares, from the best few starts, whose lowest limit after any jump is as high as it gets."""
    with double_precision():
        law, rounds, gamma = as_floats((dynamics, times, strength))

        def drop(shares):
            return _drop_and_slopes(law, rounds, shares, gamma)

        mildest = sorted(starts, key=lambda shares: float(drop(shares)[0]))
        return [_descend(drop, start, _ROUGHLY) for start in mildest[:_NUM_RAISED]]


def _least_limit(dynamics: GapDynamics) -> float:
    """The lowest limit of the solver at which neither it nor the verifier is below zero."""
    with double_precision():
        return max(0.0, float(dynamics.limits().gap))


def _descend(
    value_and_slopes: Callable, start: Float[np.ndarray, " n"], tolerance: float
) -> Float[np.ndarray, " n"]:
    """SLSQP from one start; the result is on the simplex exactly, and no worse than the start."""
    first, slopes = value_and_slopes(start)
    # Scaled by the largest slope, so that tolerances mean the same for every law.
    scale = max(float(jnp.max(jnp.abs(slopes))), np.finfo(np.float64).tiny)

    def objective(shares):
        value, slopes = value_and_slopes(shares)
        return float(value - first) / scale, np.asarray(slopes) / scale

    solution = minimize(
        objective,
        start,
        jac=True,
        method="SLSQP",
        bounds=[(0.0, 1.0)] * start.size,
        constraints={
            "type": "eq",
            "fun": lambda shares: shares.sum() - 1,
            "jac": lambda shares: np.ones_like(shares),
        },
        options={"ftol": tolerance, "maxiter": 200},
    )
    shares = np.where(solution.x > _DUST, solution.x, 0.0)
    if not (np.isfinite(shares).all() and shares.sum() > 0):
        return start
    shares = shares / shares.sum()
    return shares if objective(shares)[0] <= 0 else start


def _starts(
    dynamics: GapDynamics, strength: float, times: Float[np.ndarray, " n"]
) -> list[Float[np.ndarray, " n"]]:
    """Five fixed ones, and of equal shares over consecutive rounds those with the lowest limits."""
    rounds = np.arange(times.size)
    weights = [rounds == 0, rounds == rounds[-1], rounds >= 0, 0.5**rounds, 0.8**rounds]
    fixed, blocks = [each / each.sum() for each in weights], _blocks(times.size)
    if blocks:
        lowest = np.argsort(_limits(dynamics, strength, times, blocks))[:_NUM_BLOCKS]
        blocks = [blocks[index] for index in lowest]
    return [*fixed, *blocks]


def _blocks(num: int) -> list[Float[np.ndarray, " n"]]:
    """Equal shares over consecutive rounds: not the first alone, the last alone, nor all.

    Among many rounds they begin and end at some, evenly spaced.
    """
    rounds = np.arange(num)
    ends = np.linspace(0, num - 1, min(num, _NUM_ENDS)).round().astype(int)
    return [
        ((first <= rounds) & (rounds <= last)) / (last - first + 1)
        for first, last in itertools.combinations_with_replacement(ends.tolist(), 2)
        if (first, last) not in {(0, 0), (num - 1, num - 1), (0, num - 1)}
    ]


def _limits(
    dynamics: GapDynamics,
    strength: float,
    times: Float[np.ndarray, " n"],
    shares: list[Float[np.ndarray, " n"]],
) -> Float[np.ndarray, " schedules"]:
    """The solver's limit under each of these shares."""
    with double_precision():
        law, rounds, gamma = as_floats((dynamics, times, strength))
        return np.asarray(_limit_of_each(law, rounds, np.stack(shares), gamma))


@eqx.filter_jit
def _limit_of_each(dynamics, times, shares, strength):
    return jax.vmap(lambda row: solver_limit(dynamics, times, row, strength))(jnp.asarray(shares))


@eqx.filter_jit
def _drop_and_slopes(dynamics, times, shares, strength):
    """How far the solver's limit falls before it is the lowest, and its slopes by shares."""

    def drop(shares: Float[Array, " n"]) -> Float[Array, ""]:
        external = ExternalData(times, shares, strength)
        # As if a law at a standstill still moved: its limit leaps, which would attract the search.
        verifier = InjectedDynamics(dynamics, external).closed_form(times)[:, 1]
        falls = external.fall() * verifier / (1 - dynamics.coupling.ratio)
        return jnp.max(jnp.cumsum(falls))

    return jax.value_and_grad(drop)(jnp.asarray(shares))
