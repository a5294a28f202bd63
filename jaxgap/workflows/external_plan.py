"""A plan for a budget of external data: the usual schedules beside the best, over a range of gamma.

The strength of external data is not recorded in a run, and little is known about it beforehand. So
the plan covers a range: if the best schedule is the same throughout, gamma need not be known.
"""

import dataclasses
import itertools
import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from jaxtyping import Float

from jaxgap.errors import InputError
from jaxgap.fitting import Estimate, FitResult
from jaxgap.fitting.external_data.best_schedule import BestSchedule, best_schedule
from jaxgap.fitting.external_data.schedule import DataSchedule
from jaxgap.fitting.external_data.schedule_outcomes import (
    ScheduleOutcome,
    compare_schedules,
    law_of,
    unplannable,
)
from jaxgap.fitting.external_data.under_schedule import invalid_reason, limit_slopes

_NUM_STRENGTHS = 9
# Halvings of the interval in which a schedule leaves the model, to a thousandth or less.
_NUM_HALVINGS = 12


@dataclasses.dataclass(frozen=True)
class AtStrength:
    """All schedules at one gamma: point values, in the trajectory's own units.

    - `strength`: gamma.
    - `limits`: the solver's limit by schedule name, `None` where the model breaks down; "best" is
        the best at this gamma.
    - `invalid`: by schedule name, why the model breaks down, where it does.
    - `best`: the best shares here, `None` if no schedule is within the model.
    """

    strength: float
    limits: dict[str, float | None]
    invalid: dict[str, str]
    best: Float[np.ndarray, " rounds"] | None

    def to_dict(self) -> dict[str, Any]:
        """The public JSON form."""
        return {
            "gamma": self.strength,
            "limits": dict(self.limits),
            "invalid": dict(self.invalid),
            "best_shares": None if self.best is None else self.best.tolist(),
        }


@dataclasses.dataclass(frozen=True)
class ExternalPlan:
    """What external data would buy a fitted run.

    - `result`: the fit.
    - `strength`: gamma.
    - `outcomes`: one for each schedule, the best last; without the best if nothing can be planned.
    - `best`: the best schedule at that gamma for the fitted curve, whether or not the data
        determine it.
    - `over_strengths`: the schedules at other gammas, ascending; also for the fitted curve. The
        last gamma at which a schedule other than the best is within the model is among them.
    """

    result: FitResult
    strength: float
    outcomes: tuple[ScheduleOutcome, ...]
    best: BestSchedule
    over_strengths: tuple[AtStrength, ...]

    @property
    def limit(self) -> Estimate:
        """The solver's limit without external data; without a value if the fit failed."""
        return self.result.limits["solver"]

    @property
    def refusal(self) -> str | None:
        """Why nothing can be planned from the fit; `None` if something can."""
        nothing = unplannable(self.result)
        return None if nothing is None else nothing.reason

    @property
    def has_limit(self) -> bool:
        """Whether the data determine the solver's limit; otherwise point values are meaningless."""
        return self.limit.estimate is not None

    def to_dict(self) -> dict[str, Any]:
        """The public JSON form: nothing in it is NaN or infinite."""
        form: dict[str, Any] = {
            "gamma": self.strength,
            "level": self.result.level,
            "kind": self.result.kind,
            "time_unit": self.result.time_unit,
            "without_external_data": self.limit.to_dict(),
            "schedules": [outcome.to_dict() for outcome in self.outcomes],
            "best": _best_form(self.best, self.refusal),
            "over_gamma": [each.to_dict() for each in self.over_strengths]
            if self.has_limit
            else None,
            "warnings": list(self.result.warnings),
        }
        return form if self.has_limit else form | {"reason": self.limit.reason}


def _best_form(best: BestSchedule, refusal: str | None) -> dict[str, Any]:
    """The public JSON form of the best schedule, and of the best one ignoring the model's range."""
    if refusal is not None:
        nothing = {"shares": None, "slack": None, "reason": refusal}
        return {"times": best.schedule.times.tolist(), **nothing}
    form: dict[str, Any] = {
        "times": best.schedule.times.tolist(),
        "shares": best.schedule.shares.tolist() if best.valid else None,
        "slack": best.slack if best.valid else None,
    }
    if best.reason is None:
        return form
    return form | {"lowest_shares": best.lowest.shares.tolist(), "lowest_reason": best.reason}


def plan_external_data(
    result: FitResult,
    strength: float,
    times: Float[np.ndarray, " rounds"],
    *,
    given: DataSchedule | None = None,
    strengths: tuple[float, float] | None = None,
) -> ExternalPlan:
    """Compare early, uniform, late, a given and the best schedule for a fitted run.

    The run is assumed to restart, with external data available from its first round on.

    **Arguments:**

    - `result`: a fit of a run with a verifier, by a law with a closed form and a constant ratio.
    - `strength`: gamma > 0, finite.
    - `times`: the rounds at which external data could be used, none before the run's first time.
    - `given`: another schedule over the same rounds to compare.
    - `strengths`: the smallest and the largest gamma to try, also > 0; by default half and twice
        `strength`.

    **Returns:**

    An :class:`ExternalPlan`.

    **Raises:**

    `InputError` (a `ValueError`) if the run has no verifier, the law no gap or no constant ratio,
    the rounds do not increase or precede the run's first time, `strength` is not above zero and
    finite, or `strengths` do not increase from above zero; `ValueError` for a law without closed
    form.

    **Example:**

    >>> from jaxgap.fitting import LinearLaw, fit
    >>> from jaxgap.trajectory import Trajectory
    >>> t = np.arange(12.0)
    >>> run = Trajectory(t, 1 + 3 * np.exp(-0.4 * t), 0.8 + 1.2 * np.exp(-0.4 * t))
    >>> plan = plan_external_data(fit(LinearLaw(), run), 0.1, np.array([0.0, 4.0, 8.0]))
    >>> [outcome.schedule.name for outcome in plan.outcomes]
    ['early', 'uniform', 'late', 'best']

    Derived from section 5 of Sun et al. (arXiv:2507.00075v4).
    """
    dynamics = law_of(result)
    if not 0 < strength < math.inf:
        raise InputError(f"strength must be above zero and finite, got {strength:g}")
    low, high = strengths or (strength / 2, strength * 2)
    if not 0 < low < high < math.inf:
        raise InputError(
            f"strengths must be finite and increase from above zero, got {low:g} and {high:g}"
        )
    named = [DataSchedule.early(times), DataSchedule.uniform(times), DataSchedule.late(times)]
    if given is not None:
        named.append(given)

    def own(limit: float) -> float:
        return 1.0 - limit if result.kind == "accuracy" else limit

    def at(gamma: float) -> AtStrength:
        found = best_schedule(dynamics, gamma, times)
        limits, invalid = {}, {}
        for each in (*named, found.schedule):
            reason = invalid_reason(dynamics, each, gamma)
            if reason is None:
                limits[each.name] = own(limit_slopes(dynamics, each, gamma).limit)
            else:
                limits[each.name], invalid[each.name] = None, reason
        return AtStrength(gamma, limits, invalid, found.schedule.shares if found.valid else None)

    best = best_schedule(dynamics, strength, times)
    compared = named if unplannable(result) else [*named, best.schedule]
    outcomes = compare_schedules(result, compared, strength)
    grid = np.geomspace(low, high, _NUM_STRENGTHS).tolist()
    last_valid = [
        gamma
        for each in named
        for gamma in _last_valid(
            lambda g, each=each: invalid_reason(dynamics, each, g) is None, grid
        )
    ]
    over = tuple(at(gamma) for gamma in sorted({*grid, *last_valid}))
    return ExternalPlan(result, strength, tuple(outcomes), best, over)


def _last_valid(is_valid: Callable[[float], bool], tried: list[float]) -> Iterator[float]:
    """The last gamma before each at which a schedule has left the model."""
    for low, high in itertools.pairwise(tried):
        if is_valid(low) and not is_valid(high):
            for _ in range(_NUM_HALVINGS):
                middle = math.sqrt(low * high)
                low, high = (middle, high) if is_valid(middle) else (low, middle)
            yield low
