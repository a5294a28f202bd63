"""One reported number: its estimate, how sure it is, and why a part of it is missing."""

import dataclasses
import math
from typing import Any


@dataclasses.dataclass(frozen=True)
class Estimate:
    """A parameter or a limit with its uncertainty.

    - `estimate`: the value, or `None` where the data do not hold it.
    - `stderr`: the standard error by the delta method, or `None` where it would mislead.
    - `interval`: both ends of the interval at the fit's level; an end is `None` where the data set
        no bound on that side, all of it where there is no interval.
    - `reason`: why something is `None`, in words; `None` where nothing is.
    """

    estimate: float | None
    stderr: float | None
    interval: tuple[float | None, float | None] | None
    reason: str | None = None

    @classmethod
    def absent(cls, reason: str) -> "Estimate":
        """A number that does not apply."""
        return cls(None, None, None, reason)

    @classmethod
    def without_noise(cls, estimate: float, reason: str) -> "Estimate":
        """A number whose uncertainty is unknown."""
        return cls(estimate, None, None, reason)

    @classmethod
    def measured(
        cls, estimate: float, stderr: float, interval: tuple[float, float], at_bound: bool
    ) -> "Estimate":
        """A number with its interval, of which any part that is not finite is withheld."""
        low, high = interval
        open_sides = [
            side for side, end in (("below", low), ("above", high)) if not math.isfinite(end)
        ]
        ends = (low if math.isfinite(low) else None, high if math.isfinite(high) else None)
        if open_sides or not math.isfinite(estimate):
            sides = " nor ".join(open_sides) or "anywhere"
            reason = f"the data do not bound it from {sides}: its profile likelihood is flat there"
            return cls(None, None, ends, reason)
        if at_bound:
            return cls(estimate, None, ends, "the estimate is on the bound of what is allowed")
        if not math.isfinite(stderr):
            return cls(estimate, None, ends, "the curvature at the fit is singular")
        return cls(estimate, stderr, ends)

    def to_dict(self) -> dict[str, Any]:
        """The public JSON form; `"reason"` is there where something is null."""
        form: dict[str, Any] = {
            "estimate": self.estimate,
            "stderr": self.stderr,
            "interval": None if self.interval is None else list(self.interval),
        }
        return form if self.reason is None else form | {"reason": self.reason}
