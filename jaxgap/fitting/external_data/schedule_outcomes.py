"""Comparing schedules: what a fitted run would gain from external data, and how certain that is.

A fit leaves a range of laws that are compatible with the data. Each limit under a schedule is a
function of the law, so its interval comes from the profile likelihood like every other interval of
a fit. The strength of the external data is fixed at the given value, as the data do not show it.
"""

import dataclasses
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxgap.dynamics.coupling import RankOneCoupling
from jaxgap.dynamics.external_data import ExternalData
from jaxgap.dynamics.gap_dynamics import GapDynamics
from jaxgap.dynamics.injected_dynamics import InjectedDynamics
from jaxgap.errors import InputError
from jaxgap.fitting.curves import Curves
from jaxgap.fitting.external_data.schedule import DataSchedule, check_rounds, check_strength
from jaxgap.fitting.external_data.under_schedule import (
    LimitSlopes,
    invalid_reason,
    limit_slopes,
    validity_under,
)
from jaxgap.fitting.intervals.bands import ends_of_rows
from jaxgap.fitting.intervals.delta_method import standard_errors
from jaxgap.fitting.intervals.search_start import minimised
from jaxgap.fitting.laws.law import LIMITS, Parameter, horizon
from jaxgap.fitting.precision import double_precision
from jaxgap.fitting.problem import FitProblem
from jaxgap.fitting.results.estimate import NO_NOISE, Estimate
from jaxgap.fitting.results.result import FitResult

# The solver's numbers for each schedule: its limit, the improvement, and the proposition's limit.
_NUMBERS = (LIMITS[0], Parameter("improvement", "change"), LIMITS[0])


@dataclasses.dataclass(frozen=True)
class ScheduleOutcome:
    """What one schedule does to the solver's limit, in the trajectory's own terms.

    Where the model breaks down the numbers are meaningless and withheld, with the reason. If the
    data do not determine the limit, that reason takes precedence, also for the improvement.

    - `schedule`: the schedule.
    - `limit`: the exact limit after the jumps.
    - `proposition_5_1`: the paper's approximation of it, which is the limit with the whole budget
        at the run's first time; withheld if the model breaks down there.
    - `improvement`: how much more capable the solver ends up than without external data.
    - `slopes`: the limit's derivatives, in the equations' terms (lower is better).
    - `invalid`: how the model breaks down, in words; `None` if it holds.
    - `is_determined`: whether the data determine the limit, and so whether it is within the model.
    """

    schedule: DataSchedule
    limit: Estimate
    proposition_5_1: Estimate
    improvement: Estimate
    slopes: LimitSlopes
    invalid: str | None
    is_determined: bool

    def to_dict(self) -> dict[str, Any]:
        """The public JSON form, in which nothing is NaN or infinite."""
        form: dict[str, Any] = {
            "schedule": self.schedule.name,
            "times": self.schedule.times.tolist(),
            "shares": self.schedule.shares.tolist(),
            "limit": self.limit.to_dict(),
            "proposition_5_1": self.proposition_5_1.to_dict(),
            "improvement": self.improvement.to_dict(),
            "limit_by_gamma": self.slopes.by_strength,
            "limit_by_shares": self.slopes.by_shares.tolist(),
            "valid": self.invalid is None if self.is_determined else None,
        }
        if self.limit.estimate is not None:
            return form
        withheld = {"limit_by_gamma": None, "limit_by_shares": None}
        return form | withheld | {"reason": self.limit.reason}


def unplannable(result: FitResult) -> Estimate | None:
    """The solver's withheld limit if nothing can be planned from a fit; else `None`.

    That is if the fit did not converge, or if the run is already beyond the law's limit: a schedule
    would only shift a limit known to be wrong.
    """
    limit = result.limits["solver"]
    return None if result.converged and limit.identifiability != "refuted" else limit


def check_verifier(has_verifier: bool) -> None:
    """Refuse a run without a verifier: `InputError`."""
    if not has_verifier:
        raise InputError(
            "external data act on the verifier, which this run lacks: give its column too"
        )


def law_of(result: FitResult) -> GapDynamics:
    """The fitted law, if external data can act on it.

    **Raises:**

    `InputError` if the run has no verifier, or its law no gap or no constant ratio.
    """
    check_verifier(result.has_verifier)
    if not isinstance(result.dynamics, GapDynamics):
        raise InputError(f"the {result.model} law has no gap for external data to open")
    if not isinstance(result.dynamics.coupling, RankOneCoupling):
        # A jump opens the gap wider than any measured; a ratio that drifts is not known there.
        raise InputError(
            f"the {result.model} law has no constant ratio of verifier to solver, and a ratio that "
            "drifts is unknown at gaps as wide as external data open: fit another law"
        )
    return result.dynamics


def compare_schedules(
    result: FitResult, schedules: list[DataSchedule], strength: float
) -> list[ScheduleOutcome]:
    """The solver's limit under each schedule, with intervals from the fit.

    **Arguments:**

    - `result`: a fit of a run with a verifier, by a law with a closed form and a constant ratio
        $r$, such as :class:`jaxgap.fitting.LinearLaw`.
    - `schedules`: over the same rounds, none before the run's first time.
    - `strength`: $\\gamma \\ge 0$, taken as known.

    **Returns:**

    One :class:`ScheduleOutcome` for each schedule. Limits that the data do not determine are
    withheld, with the reason, as in the fit itself; so are the numbers of schedules outside the
    model, and all numbers if nothing can be planned from the fit (:func:`unplannable`).

    **Raises:**

    `InputError` (a `ValueError`) if the run has no verifier, the law no gap or no constant ratio,
    a round is before the run's first time, there are no schedules or they have different numbers of
    rounds, or the strength is negative or not finite; `ValueError` for a law without closed form.

    **Example:**

    >>> from jaxgap.fitting import LinearLaw, fit
    >>> from jaxgap.trajectory import Trajectory
    >>> t = np.arange(12.0)
    >>> run = Trajectory(t, 1 + 3 * np.exp(-0.4 * t), 0.8 + 1.2 * np.exp(-0.4 * t))
    >>> rounds = [0.0, 4.0, 8.0]
    >>> both = [DataSchedule.early(rounds), DataSchedule.late(rounds)]
    >>> outcomes = compare_schedules(fit(LinearLaw(), run), both, strength=0.1)
    >>> [round(outcome.improvement.estimate, 3) for outcome in outcomes]
    [0.303, 0.129]

    Derived from the jump in section 5 of Sun et al. (arXiv:2507.00075v4).
    """
    dynamics = law_of(result)
    check_strength(strength)
    sizes = sorted({len(schedule.times) for schedule in schedules})
    if len(sizes) != 1:
        got = ", ".join(map(str, sizes)) or "none"
        raise InputError(f"there must be schedules, over the same number of rounds, got {got}")
    for schedule in schedules:
        check_rounds(schedule.times, float(dynamics.t0))
    nothing = unplannable(result)
    if nothing is None:
        numbers = _numbers(result, schedules, strength)
    else:
        numbers = [(nothing,) * len(_NUMBERS)] * len(schedules)
    at_once = invalid_reason(dynamics, DataSchedule.early([float(dynamics.t0)]), strength)
    outcomes = []
    for schedule, values in zip(schedules, numbers, strict=True):
        limit, improvement, proposition = values
        if result.kind == "accuracy":
            limit, proposition = (each.mirrored().within(0.0, 1.0) for each in (limit, proposition))
        validity = validity_under(dynamics, schedule, strength)
        invalid = validity.reason()
        # If the data do not determine the limit, its validity is undetermined too.
        stuck = nothing is None and not validity.moving
        is_determined = stuck or limit.estimate is not None
        outside = invalid if is_determined else None
        if invalid is not None and not is_determined:
            improvement = Estimate.absent(limit.reason or invalid)
        outcomes.append(
            ScheduleOutcome(
                schedule,
                _if_valid(limit, outside),
                _if_valid(
                    proposition,
                    None if proposition.estimate is None else at_once,
                ),
                _if_valid(improvement, outside),
                limit_slopes(dynamics, schedule, strength),
                invalid,
                is_determined,
            )
        )
    return outcomes


def _if_valid(estimate: Estimate, outside: str | None) -> Estimate:
    """The estimate, withheld if the model breaks down."""
    return estimate if outside is None else Estimate.absent(f"the model is not valid: {outside}")


def _numbers(
    result: FitResult, schedules: list[DataSchedule], strength: float
) -> list[tuple[Estimate, ...]]:
    """For each schedule, the limit, the improvement and the proposition's limit."""
    source = result.source
    with double_precision():
        arrays = _arrays(schedules, strength)
        # An array, since a Python float would be compiled in as a constant.
        quantile = jnp.asarray(source.quantile or 1.0)
        found = _profile_all(source.problem, source.curves, source.raw, *arrays, quantile)
    estimates, stderrs, ends = (np.asarray(each, np.float64) for each in found)
    scale = float(source.curves.value_scale)
    # The improvement can be determined even if the limits are not: they move together.
    most = (scale, np.inf, scale)

    def estimate(row: int, column: int) -> Estimate:
        if source.quantile is None:
            # None of these means anything without its interval.
            return Estimate.without_noise(None, NO_NOISE)
        if strength == 0 and column == 1:
            # No data, no improvement, whatever the law; a profile of a constant finds no ends.
            return Estimate(0.0, 0.0, (0.0, 0.0))
        low, high = map(float, ends[row, column])
        return Estimate.measured(
            float(estimates[row, column]),
            float(stderrs[row, column]),
            (low, high),
            most=most[column],
            is_limit=True,
        )

    return [tuple(estimate(row, column) for column in range(3)) for row in range(len(schedules))]


def _arrays(schedules: list[DataSchedule], strength: float):
    times = jnp.asarray(np.stack([schedule.times for schedule in schedules]))
    shares = jnp.asarray(np.stack([schedule.shares for schedule in schedules]))
    return times, shares, jnp.asarray(strength, jnp.float64)


@eqx.filter_jit
def _profile_all(problem: FitProblem, curves: Curves, raw, times, shares, strength, quantile):
    """Estimates, standard errors (rows, 3) and interval ends (rows, 3, 2)."""
    fit = minimised(curves, raw)
    far = jnp.stack([horizon(number, curves) for number in _NUMBERS])

    def numbers(z, curves, row) -> Float[Array, "3"]:
        dynamics = problem.dynamics(z, curves)
        assert isinstance(dynamics, GapDynamics)
        run = InjectedDynamics(dynamics, ExternalData(times[row], shares[row], strength))
        limit = run.unchecked_limits().solver
        return jnp.stack([limit, dynamics.limits().solver - limit, run.proposition_5_1().solver])

    def of_row(row):
        slopes = jax.jacfwd(lambda z: numbers(z, curves, row))(fit.coordinates)
        return numbers(fit.coordinates, curves, row), standard_errors(problem, fit, slopes)

    rows = jnp.arange(len(shares))
    estimates, stderrs = jax.vmap(of_row)(rows)
    ends = ends_of_rows(problem, fit, numbers, rows, estimates, far, stderrs, quantile)
    return estimates, stderrs, ends
