"""One reported number: its estimate, its uncertainty, and why any part of it is missing."""

import dataclasses
import math
from typing import Any

from jaxgap.fitting.intervals.identifiability import Identifiability

NO_NOISE = (
    "too few measurements for the free parameters, or curves that pass through all of them: "
    "nothing is left to estimate the noise from"
)
NO_VERIFIER = "the trajectory has no verifier"
_ON_BOUND = "the estimate is on the bound of the allowed range"
# A standard error of more than so many widths of the interval is no measure of uncertainty.
_ASTRAY = 10.0


@dataclasses.dataclass(frozen=True)
class Estimate:
    """A parameter or a limit with its uncertainty.

    - `estimate`: the value, or `None` where the data do not determine it.
    - `stderr`: the standard error by the delta method, or `None` where it would mislead.
    - `interval`: both ends of the interval at the fit's level; an end is `None` where the data set
        no bound on that side, and `interval` itself where there is none.
    - `reason`: why something is `None`, in words; otherwise `None`.
    - `identifiability`: `"identifiable"`, `"practically unidentifiable"`, `"structurally
        unidentifiable"`, `"refuted"` or `"held"`; `reason` says why
        (:mod:`jaxgap.fitting.intervals.identifiability`).
    """

    estimate: float | None
    stderr: float | None
    interval: tuple[float | None, float | None] | None
    reason: str | None = None
    identifiability: Identifiability = "identifiable"

    @classmethod
    def absent(cls, reason: str) -> "Estimate":
        """A number that this kind of trajectory cannot show."""
        return cls(None, None, None, reason, "structurally unidentifiable")

    @classmethod
    def without_noise(cls, estimate: float | None, reason: str) -> "Estimate":
        """A number whose uncertainty is unknown."""
        return cls(finite_or_none(estimate), None, None, reason, "practically unidentifiable")

    @classmethod
    def refuted(cls, reason: str) -> "Estimate":
        """A number that the law predicts but the measurements contradict."""
        return cls(None, None, None, reason, "refuted")

    @classmethod
    def measured(
        cls,
        estimate: float,
        stderr: float,
        interval: tuple[float, float],
        *,
        bounds: tuple[float, float] = (-math.inf, math.inf),
        at_bound: bool = False,
        most: float = math.inf,
        is_limit: bool = False,
        redundant: bool = False,
    ) -> "Estimate":
        """A number with its interval; any part that is not finite is withheld.

        **Arguments:**

        - `estimate`, `stderr`, `interval`: as found; an open end is infinite.
        - `bounds`: the natural bounds of the number.
        - `at_bound`: whether the estimate lies on one of them.
        - `most`: the widest interval at which the data still count as determining the number.
        - `is_limit`: whether it is the limit of a curve, which the run may not have approached.
        - `redundant`: whether it can change without changing any measured curve.
        """
        low, high = interval
        ends = (low if math.isfinite(low) else None, high if math.isfinite(high) else None)
        open_sides = [
            side for side, end in (("below", low), ("above", high)) if not math.isfinite(end)
        ]
        if redundant:
            reason = "it can change without changing any measured curve, whatever the data"
            return cls(None, None, None, reason, "structurally unidentifiable")
        if open_sides or not math.isfinite(estimate):
            reason = _open_reason(open_sides, is_limit)
            return cls(None, None, ends, reason, "practically unidentifiable")
        if (low, high) == bounds:
            reason = f"every allowed value, {low:g} to {high:g}, fits the data about equally well"
            return cls(None, None, ends, reason, "practically unidentifiable")
        if high - low > most:
            reason = f"its interval is wider than the whole range observed, {most:.3g}"
            return cls(None, None, ends, reason, "practically unidentifiable")
        if at_bound:
            return cls(estimate, None, ends, _ON_BOUND, "practically unidentifiable")
        # NaN is not a standard error either.
        if not stderr <= _ASTRAY * (high - low):
            return cls(estimate, None, ends, "the curvature at the fit is singular, or nearly")
        if stderr == 0:
            return cls(estimate, None, ends, "the fit is on the boundary of what the law allows")
        return cls(estimate, stderr, ends)

    def mirrored(self) -> "Estimate":
        """The accuracy for this error rate, or vice versa."""
        low, high = (None if end is None else 1.0 - end for end in (self.interval or (None, None)))
        return dataclasses.replace(
            self,
            estimate=None if self.estimate is None else 1.0 - self.estimate,
            interval=None if self.interval is None else (high, low),
        )

    def within(self, lower: float, upper: float) -> "Estimate":
        """The part between two natural bounds, which the law itself does not respect.

        An estimate beyond a bound is moved to it and marked as practically unidentifiable. An open
        interval, or one wholly outside the bounds, is left unchanged, so that this shows.
        """
        low, high = self.interval or (None, None)
        if low is None or high is None or low > upper or high < lower:
            return self
        kept = dataclasses.replace(self, interval=(max(low, lower), min(high, upper)))
        if self.estimate is None or lower <= self.estimate <= upper:
            return kept
        return dataclasses.replace(
            kept,
            estimate=min(max(self.estimate, lower), upper),
            stderr=None,
            reason=_ON_BOUND,
            identifiability="practically unidentifiable",
        )

    def to_dict(self) -> dict[str, Any]:
        """The public JSON form; it has a `"reason"` where something is null."""
        form: dict[str, Any] = {
            "estimate": self.estimate,
            "stderr": self.stderr,
            "interval": None if self.interval is None else list(self.interval),
            "identifiability": self.identifiability,
        }
        return form if self.reason is None else form | {"reason": self.reason}


def finite_or_none(value: float | None) -> float | None:
    """A number if JSON can represent it, else `None`.

    **Example:**

    >>> finite_or_none(0.5), finite_or_none(math.nan)
    (0.5, None)
    """
    return None if value is None or not math.isfinite(value) else value


def _open_reason(open_sides: list[str], is_limit: bool) -> str:
    sides = " or ".join(open_sides) or "anywhere"
    reason = f"the data do not bound it from {sides}: its profile likelihood is flat there"
    return reason + "; the run has not come close enough to its limit" if is_limit else reason
