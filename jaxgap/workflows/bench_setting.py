"""The seeds of one setting of a bench, as means with standard errors over seeds."""

from __future__ import annotations

import dataclasses
import math
import statistics
from collections.abc import Sequence
from typing import Any, NamedTuple

from jaxgap.fitting import Estimate
from jaxgap.workflows.bench_row import BenchRow, Gain, gain_to_dict, per_point


class OverSeeds(NamedTuple):
    """A number of the fitted laws over the seeds of a setting.

    **Fields:**

    - `mean`: None if some seed's data do not bound the number: the fit's value is then not a
        measurement, and the other seeds may be a biased sample that agrees with the law.
    - `stderr`: the standard error of the mean; None without a mean, or for a single seed.
    - `num`: how many seeds bound the number.
    """

    mean: float | None
    stderr: float | None
    num: int

    @classmethod
    def of(cls, numbers: Sequence[Estimate]) -> OverSeeds:
        """From one number per seed.

        >>> OverSeeds.of([Estimate(1.0, 0.1, (0.8, 1.2)), Estimate(3.0, 0.1, (2.8, 3.2))])
        OverSeeds(mean=2.0, stderr=1.0, num=2)
        >>> OverSeeds.of([Estimate(1.0, 0.1, (0.8, 1.2)), Estimate.absent("flat")])
        OverSeeds(mean=None, stderr=None, num=1)
        """
        bounded = [
            number.estimate
            for number in numbers
            if number.estimate is not None and number.identifiability == "identifiable"
        ]
        if len(bounded) < len(numbers):
            return cls(None, None, len(bounded))
        if len(bounded) == 1:
            return cls(bounded[0], None, 1)
        return cls(*_over_seeds(bounded), len(bounded))


@dataclasses.dataclass(frozen=True)
class Setting:
    """The finished seeds of one setting.

    **Fields:**

    - `name`: the name of its runs without their seeds.
    - `rows`: its runs, one or more.
    """

    name: str
    rows: Sequence[BenchRow]

    @property
    def accuracy(self) -> tuple[float, float]:
        """Mean held-out accuracy at the first and the last checkpoint."""
        first, last = zip(*(row.accuracy for row in self.rows), strict=True)
        return statistics.fmean(first), statistics.fmean(last)

    @property
    def gained(self) -> Gain:
        """Points of accuracy gained, with the standard error over seeds, or prompts for one run."""
        gains = [row.gained for row in self.rows]
        if len(gains) == 1:
            return gains[0]
        return Gain(*_over_seeds([gain.mean for gain in gains]), len(gains))

    @property
    def law(self) -> dict[str, OverSeeds]:
        """The numbers of the fitted laws."""
        results = [row.result for row in self.rows]
        return {
            "rate": OverSeeds.of([result.parameters["rate"] for result in results]),
            "ratio": OverSeeds.of([result.parameters["ratio"] for result in results]),
            "limit": OverSeeds.of([result.limits["solver"] for result in results]),
        }

    @property
    def amounts(self) -> dict[str, float | None]:
        """The mean cost of a run in each unit; None if some run's is unknown."""
        of_runs = {name: [row.amounts[name] for row in self.rows] for name in self.rows[0].amounts}
        known = {name: [each for each in of if each is not None] for name, of in of_runs.items()}
        return {
            name: statistics.fmean(amounts) if len(amounts) == len(self.rows) else None
            for name, amounts in known.items()
        }

    @property
    def cost_per_point(self) -> dict[str, float | None]:
        """Mean cost over mean gain: a mean of ratios would be dominated by the smallest gain."""
        return per_point(self.amounts, self.gained.mean)

    def to_dict(self) -> dict[str, Any]:
        """The public JSON form: nothing in it is NaN or infinite."""
        return {
            "setting": self.name,
            "seeds": [row.config.seed for row in self.rows],
            **{name: value._asdict() for name, value in self.law.items()},
            **gain_to_dict(self.accuracy, self.gained, self.amounts),
        }


def _over_seeds(values: Sequence[float]) -> tuple[float, float]:
    """Mean and standard error."""
    return statistics.fmean(values), statistics.stdev(values) / math.sqrt(len(values))
