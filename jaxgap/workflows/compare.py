"""Many runs side by side: each with its limit, and the seeds of one experiment pooled."""

import dataclasses
from typing import Any

from matplotlib.figure import Figure

from jaxgap.fitting import AbstractLaw, FitResult, fit_many
from jaxgap.report.overlay import OverlayRun, PooledLimit, draw_overlay
from jaxgap.report.times import curve_times
from jaxgap.trajectory.collection import Collection, NamedRun, Unreadable
from jaxgap.trajectory.reading_notes import reading_notes
from jaxgap.workflows.pooled import PooledGroup, pool_group
from jaxgap.workflows.seed_groups import GroupedBy, group_seeds


@dataclasses.dataclass(frozen=True)
class ComparedRun:
    """A run with its fit, notes on how it was read, and its experiment if it has other seeds."""

    source: NamedRun
    result: FitResult
    notes: tuple[str, ...]
    group: str | None

    @property
    def name(self) -> str:
        """The run's name in tables and figures."""
        return self.source.name

    def to_dict(self) -> dict[str, Any]:
        """The public JSON form: that of the fit, preceded by the run's name."""
        return {
            "run": self.name,
            "file": str(self.source.path),
            "group": self.group,
            "notes": list(self.notes),
            **self.result.to_dict(),
        }


@dataclasses.dataclass(frozen=True)
class Comparison:
    """Runs side by side.

    - `runs`: in the order in which they were read.
    - `groups`: the experiments with several seeds, pooled.
    - `grouped_by`: what the runs were grouped by.
    - `unreadable`: what could not be read, and why.
    - `level`: of all intervals.
    """

    runs: tuple[ComparedRun, ...]
    groups: tuple[PooledGroup, ...]
    grouped_by: GroupedBy
    unreadable: tuple[Unreadable, ...]
    level: float

    def to_dict(self) -> dict[str, Any]:
        """The public JSON form: nothing in it is NaN or infinite."""
        return {
            "level": self.level,
            "runs": [run.to_dict() for run in self.runs],
            "grouped_by": self.grouped_by if self.groups else None,
            "groups": [group.to_dict() for group in self.groups],
            "unreadable": [
                {"file": str(each.path), "problem": each.problem} for each in self.unreadable
            ],
        }


def compare_runs(
    collection: Collection, law: AbstractLaw, *, level: float = 0.9, group: str | None = None
) -> Comparison:
    """Fit a law to every run, and pool the seeds of each experiment.

    **Arguments:**

    - `collection`: the runs, as returned by :func:`jaxgap.trajectory.collection.read_runs`.
    - `law`: such as `LinearLaw()`, for all of them.
    - `level`: of the intervals, in (0, 1).
    - `group`: a regular expression for the runs' names, whose first group names the experiment; by
        default see :func:`group_seeds`.

    **Raises:** `InputError` for a level outside (0, 1), a bad regular expression, or one
    that matches no run.

    **Example:**

    >>> import numpy as np
    >>> from pathlib import Path
    >>> from jaxgap.fitting import LinearLaw
    >>> from jaxgap.trajectory import Trajectory
    >>> t = np.arange(12.0)
    >>> runs = []
    >>> for seed in range(2):
    ...     noise = np.random.default_rng(seed).normal(0, 0.02, 12)
    ...     run = Trajectory(t, 1 + np.exp(-0.4 * t) + noise)
    ...     runs.append(NamedRun(f"a_seed{seed}", Path("a"), run))
    >>> compared = compare_runs(Collection(tuple(runs), ()), LinearLaw())
    >>> low, high = compared.groups[0].numbers["limit"].to_dict()["mean"]["interval"]
    >>> low < 1 < high
    True
    """
    groups, grouped_by, repeated = group_seeds(collection.runs, group)
    results = fit_many(law, [source.run for source in collection.runs], level=level)
    names = [source.name for source in collection.runs]
    notes = {
        index: [f"this is the same seed as {names[earlier]}, which alone counts among the seeds"]
        for index, earlier in repeated.items()
    }
    group_of = {index: name for name, indices in groups.items() for index in indices}
    return Comparison(
        runs=tuple(
            ComparedRun(
                source,
                result,
                (*reading_notes(source.run), *notes.get(index, [])),
                group_of.get(index),
            )
            for index, (source, result) in enumerate(zip(collection.runs, results, strict=True))
        ),
        groups=tuple(
            pool_group(name, [names[i] for i in indices], [results[i] for i in indices], level)
            for name, indices in groups.items()
        ),
        grouped_by=grouped_by,
        unreadable=collection.unreadable,
        level=level,
    )


def draw_comparison(found: Comparison) -> Figure:
    """The figure of a comparison: every curve with its fit, and every limit."""
    runs = []
    for run in found.runs:
        ts = curve_times(run.source.run.ts)
        fitted = run.result.fitted_curves(ts)["solver"]
        runs.append(OverlayRun(run.name, run.group, run.source.run, run.result, ts, fitted))
    pooled = {group.name: _pooled_limit(group) for group in found.groups}
    return draw_overlay(runs, pooled)


def _pooled_limit(group: PooledGroup) -> PooledLimit:
    limit = group.numbers["limit"]
    num_runs, num_left_out = len(group.runs), len(limit.left_out)
    return PooledLimit(limit.mean, limit.next_run, num_runs, len(limit.failed), num_left_out)
