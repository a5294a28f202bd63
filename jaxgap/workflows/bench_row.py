"""One run of a bench: what it gained, and at what cost."""

from __future__ import annotations

import dataclasses
import math
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from jaxgap.fitting import FitResult
from jaxgap.fitting.noise.abstract_noise import t_quantile
from jaxgap.improve import ImproveConfig
from jaxgap.improve.cost import Cost, trained_on
from jaxgap.improve.measures.mean_with_error import MeanWithError
from jaxgap.improve.measures.metrics import RoundMetrics
from jaxgap.improve.runs.run_folder import RunFolder

_ANSWERING = ("generate", "verify", "select")
_LEVEL = 0.95
# In points. Means of the same answers may differ by 1e-14, as 1/3 and 2/3 are rounded.
_SMALLEST_GAIN = 1e-9


class Gain(NamedTuple):
    """Percentage points of accuracy gained.

    **Fields:**

    - `mean`: of the points.
    - `stderr`: its standard error.
    - `num`: the number of runs or prompts behind the standard error; two or more.
    """

    mean: float
    stderr: float
    num: int

    @property
    def reach(self) -> float:
        """Half the 95 % interval, by Student's t, since few runs estimate the error poorly."""
        return self.stderr * (t_quantile(_LEVEL, self.num - 1) or math.inf)

    @property
    def is_doubtful(self) -> bool:
        """Whether that interval includes zero."""
        return abs(self.mean) <= self.reach

    def to_dict(self) -> dict[str, Any]:
        """The public JSON form."""
        interval = [self.mean - self.reach, self.mean + self.reach]
        return {"mean": self.mean, "stderr": self.stderr, "interval": interval}


@dataclasses.dataclass(frozen=True)
class BenchRow:
    """One run of a bench.

    **Fields:**

    - `name`, `folder`, `config`: the run.
    - `setting`: the name shared with the setting's other seeds.
    - `metrics`: of every checkpoint.
    - `result`: the paper's law fitted to the held-out curves.
    - `cost`: tokens and operations of its rounds.
    - `seconds`: the duration of its rounds by :func:`seconds_of`; None if unknown.
    """

    name: str
    folder: Path
    config: ImproveConfig
    setting: str
    metrics: tuple[RoundMetrics, ...]
    result: FitResult
    cost: Cost
    seconds: float | None

    @property
    def accuracy(self) -> tuple[float, float]:
        """Held-out accuracy at temperature 1 at the first and the last checkpoint."""
        first, last = self._ends
        return first.mean, last.mean

    @property
    def gained(self) -> Gain:
        """Points of that accuracy gained from the first checkpoint to the last.

        The standard error treats the two as independent; they share prompts, so it is too large.
        """
        first, last = self._ends
        error = (first.stderr**2 + last.stderr**2) ** 0.5
        num_prompts = self.config.num_held_out_prompts
        return Gain(100 * (last.mean - first.mean), 100 * error, num_prompts)

    @property
    def amounts(self) -> dict[str, float | None]:
        """The run's cost in each unit; None if unknown."""
        return {"tokens": self.cost.tokens, "flops": self.cost.flops, "seconds": self.seconds}

    @property
    def cost_per_point(self) -> dict[str, float | None]:
        """The cost of a point of accuracy; None if none was gained, or the cost is unknown."""
        return per_point(self.amounts, self.gained.mean)

    def to_dict(self) -> dict[str, Any]:
        """The public JSON form: nothing in it is NaN or infinite."""
        return {
            "run": self.name,
            "folder": self.folder.name,
            "setting": self.setting,
            "config": dataclasses.asdict(self.config),
            "rate": self.result.parameters["rate"].to_dict(),
            "ratio": self.result.parameters["ratio"].to_dict(),
            "limit": self.result.limits["solver"].to_dict(),
            "warnings": list(self.result.warnings),
            **gain_to_dict(self.accuracy, self.gained, self.amounts),
        }

    @property
    def _ends(self) -> tuple[MeanWithError, MeanWithError]:
        first, last = self.metrics[0], self.metrics[-1]
        return first.held_out.solver_accuracy, last.held_out.solver_accuracy


def per_point(amounts: Mapping[str, float | None], gained: float) -> dict[str, float | None]:
    """Amounts divided by points gained; None if none was gained, or the amount is unknown."""
    return {
        name: amount / gained if amount is not None and gained > _SMALLEST_GAIN else None
        for name, amount in amounts.items()
    }


def gain_to_dict(
    accuracy: tuple[float, float], gained: Gain, amounts: Mapping[str, float | None]
) -> dict[str, Any]:
    """The gain and its cost, as JSON."""
    first, last = accuracy
    return {
        "accuracy": {"first": first, "last": last},
        "points_gained": gained.to_dict(),
        "cost": amounts,
        "cost_per_point": per_point(amounts, gained.mean),
    }


def seconds_of(run: Path, config: ImproveConfig, num_checkpoints: int) -> float | None:
    """The total duration of the stages that improve the model, from the median round of each.

    The first run of a bench compiles programs that later runs reuse, in any round with a new shape.
    Sums would depend on which run came first.

    **Arguments:**

    - `run`: the RUN folder.
    - `config`: its configuration.
    - `num_checkpoints`: the number it measured; some of their times may be lost.

    **Returns:** the seconds; None if all times of some stage are lost.
    """
    rows = RunFolder.reopen(run).timings
    medians = {stage: _median(rows, stage) for stage in (*_ANSWERING, "train")}
    known = {stage: median for stage, median in medians.items() if median is not None}
    if len(known) < len(medians):
        return None
    num_answered = len(trained_on(config, range(num_checkpoints)))
    answering = sum(known[stage] for stage in _ANSWERING)
    return num_answered * answering + (num_checkpoints - 1) * known["train"]


def _median(rows: Sequence[Mapping[str, Any]], stage: str) -> float | None:
    """The lower median: with two rounds, the one that did not compile."""
    times = [float(row[stage]) for row in rows if type(row.get(stage)) in (int, float)]
    sound = [time for time in times if math.isfinite(time) and time >= 0]
    return statistics.median_low(sound) if sound else None
