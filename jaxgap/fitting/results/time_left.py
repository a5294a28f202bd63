"""How long until the solver of a fitted run is near its limit, with a profile-likelihood interval.

This is the law's own answer (Corollary 3.2); :mod:`jaxgap.fitting.forecasting` has one that does
not take a law for granted.
"""

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from jaxgap.errors import InputError
from jaxgap.fitting.batches import interval_of_time_left
from jaxgap.fitting.intervals.time_to_limit import EARLIEST, FARTHEST, has_time_left
from jaxgap.fitting.results.estimate import NO_NOISE, finite_or_none

if TYPE_CHECKING:
    from jaxgap.fitting.results.result import FitResult

# Near a limit means within a point of accuracy, or within this fraction of an uncertainty.
EPSILON_ACCURACY = 0.01
EPSILON_RELATIVE = 0.05


@dataclasses.dataclass(frozen=True)
class TimeLeft:
    """How long, from the last row on, until the solver is within `epsilon` of its limit.

    In the unit of the trajectory's times, never below zero. `reason` says why anything is `None`:
    the upper end and the estimate if either is more than a hundred observed durations away, and
    the lower end where it could not be found from there; everything if the limit itself is
    withheld.
    """

    estimate: float | None
    interval: tuple[float | None, float | None]
    epsilon: float
    reason: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """The public JSON form; it has a `"reason"` where something is null."""
        form = {
            "estimate": self.estimate,
            "interval": list(self.interval),
            "epsilon": self.epsilon,
        }
        return form if self.reason is None else form | {"reason": self.reason}


def time_left_of(result: "FitResult", epsilon: float | None) -> TimeLeft:
    """See :meth:`jaxgap.fitting.FitResult.time_left`."""
    source = result.source
    if epsilon is None:
        epsilon = _near_enough(result)
    if not (np.isfinite(epsilon) and epsilon > 0):
        raise InputError(f"epsilon must be above zero, got {epsilon:g}")
    why_none = _why_none(result)
    if why_none is not None or source.quantile is None:
        return TimeLeft(None, (None, None), epsilon, why_none or NO_NOISE)
    found = interval_of_time_left(
        source.problem, source.curves, source.raw, epsilon, source.quantile
    )
    estimate, low, high = np.maximum([found.estimates, *found.intervals], 0.0).tolist()
    duration = float(source.curves.duration)
    farthest = FARTHEST * duration
    if not (high < farthest and estimate < farthest):  # nor if either is NaN
        reason = f"the data allow more than {FARTHEST:g} times the observed time"
        # From a fit beyond what is followed, a search that came to the other bound was lost.
        lost = not estimate < farthest and found.intervals[0] <= EARLIEST * duration
        return TimeLeft(None, (None if lost else finite_or_none(low), None), epsilon, reason)
    return TimeLeft(estimate, (low, high), epsilon)


def _near_enough(result: "FitResult") -> float:
    """The default epsilon: a point of accuracy, or a twentieth of the fitted curve's last value."""
    if result.kind == "accuracy":
        return EPSILON_ACCURACY
    last = abs(float(np.asarray(result.source.raw.fitted)[result.num_points - 1, 0]))
    # A fit that failed has no curve.
    scale = last if np.isfinite(last) and last else float(result.source.curves.value_scale)
    return EPSILON_RELATIVE * scale


def _why_none(result: "FitResult") -> str | None:
    """Why it cannot be said when a run gets near its limit; `None` if it can."""
    limit, dynamics = result.limits["solver"], result.dynamics
    if not has_time_left(dynamics):
        return "this law has no closed form of when it comes near its limit"
    if result.failure is not None:
        return f"the fit {result.failure}"
    return limit.reason if limit.estimate is None else None
