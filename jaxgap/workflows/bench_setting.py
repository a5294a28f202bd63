"""The seeds of one setting of a bench, as means with standard errors over seeds."""

from __future__ import annotations

import dataclasses
import math
import statistics
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from jaxgap.improve.estimate import Estimate
from jaxgap.workflows.bench_row import BenchRow, gain_to_dict, per_point


class OverSeeds(NamedTuple):
    """A number over those seeds whose fits hold it.

    **Fields:**

    - `mean`: None where none does.
    - `stderr`: the standard error of the mean; None for fewer than two.
    - `num`: how many do.
    """

    mean: float | None
    stderr: float | None
    num: int

    @classmethod
    def of(cls, values: Iterable[float | None]) -> OverSeeds:
        """From one value a seed.

        >>> OverSeeds.of([1.0, None, 3.0])
        OverSeeds(mean=2.0, stderr=1.0, num=2)
        """
        known = [value for value in values if value is not None]
        if len(known) < 2:
            return cls(known[0] if known else None, None, len(known))
        return cls(*_over_seeds(known), len(known))


@dataclasses.dataclass(frozen=True)
class Setting:
    """The finished seeds of one setting.

    **Fields:**

    - `name`: what its runs are called without their seeds.
    - `rows`: its runs, one or more.
    """

    name: str
    rows: Sequence[BenchRow]

    @property
    def accuracy(self) -> tuple[float, float]:
        """Mean held-out accuracy at the first checkpoint and at the last."""
        first, last = zip(*(row.accuracy for row in self.rows), strict=True)
        return statistics.fmean(first), statistics.fmean(last)

    @property
    def gained(self) -> Estimate:
        """Points of that accuracy, with the standard error over seeds; of one run, over prompts."""
        gains = [row.gained for row in self.rows]
        return gains[0] if len(gains) == 1 else _over_seeds([gain.mean for gain in gains])

    @property
    def law(self) -> dict[str, OverSeeds]:
        """What the fitted laws say."""
        results = [row.result for row in self.rows]
        return {
            "rate": OverSeeds.of(result.parameters["rate"].estimate for result in results),
            "ratio": OverSeeds.of(result.parameters["ratio"].estimate for result in results),
            "limit": OverSeeds.of(result.limits["solver"].estimate for result in results),
        }

    @property
    def amounts(self) -> dict[str, float | None]:
        """What a run cost on average, in each unit; None where that of some run is not known."""
        of_runs = {name: [row.amounts[name] for row in self.rows] for name in self.rows[0].amounts}
        known = {name: [each for each in of if each is not None] for name, of in of_runs.items()}
        return {
            name: statistics.fmean(amounts) if len(amounts) == len(self.rows) else None
            for name, amounts in known.items()
        }

    @property
    def cost_per_point(self) -> dict[str, float | None]:
        """The mean cost over the mean gain: a mean of ratios would hang on the smallest gain."""
        return per_point(self.amounts, self.gained.mean)

    def to_dict(self) -> dict[str, Any]:
        """The public JSON form: nothing in it is NaN or infinite."""
        return {
            "setting": self.name,
            "seeds": [row.config.seed for row in self.rows],
            **{name: value._asdict() for name, value in self.law.items()},
            **gain_to_dict(self.accuracy, self.gained, self.amounts),
        }


def _over_seeds(values: Sequence[float]) -> Estimate:
    stderr = statistics.stdev(values) / math.sqrt(len(values))
    return Estimate(statistics.fmean(values), stderr)
