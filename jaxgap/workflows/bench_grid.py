"""What a bench varies: model, task, verifier, N, sigma, seed."""

from __future__ import annotations

import dataclasses
import itertools
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from jaxgap.improve import ImproveConfig


@dataclasses.dataclass(frozen=True)
class Grid:
    """What is varied; everything else is in `base`.

    **Fields:**

    - `base`: the configuration that all runs share.
    - `models`, `tasks`, `verifiers`, `candidate_counts`, `thresholds`, `seeds`: values to combine;
        if empty, that of `base`.
    """

    base: ImproveConfig
    models: Sequence[str] = ()
    tasks: Sequence[str] = ()
    verifiers: Sequence[str] = ()
    candidate_counts: Sequence[int] = ()
    thresholds: Sequence[float] = ()
    seeds: Sequence[int] = ()

    def configs(self) -> dict[str, ImproveConfig]:
        """Every combination, by a name made of the varied values.

        **Raises:** `InputError` naming inconsistent settings.

        >>> list(Grid(ImproveConfig(), thresholds=(0.5, 0.9), seeds=(0,)).configs())
        ['threshold0.5', 'threshold0.9']
        """
        return {name: config for name, _, config in self._runs()}

    def settings(self) -> dict[str, str]:
        """The setting of each run, by name: the run's name without the seed.

        >>> Grid(ImproveConfig(), thresholds=(0.9,), seeds=(0, 1)).settings()
        {'seed0': 'run', 'seed1': 'run'}
        """
        return {name: setting for name, setting, _ in self._runs()}

    def _runs(self) -> Iterator[tuple[str, str, ImproveConfig]]:
        """Name, setting and configuration of each."""
        axes = {
            "model": self.models,
            "task": self.tasks,
            "verifier": self.verifiers,
            "num_candidates": self.candidate_counts,
            "threshold": self.thresholds,
        }
        distinct = {axis: tuple(dict.fromkeys(values)) for axis, values in axes.items()}
        given = {axis: values for axis, values in distinct.items() if values}
        seeds = tuple(dict.fromkeys(self.seeds)) or (self.base.seed,)
        taken = set()
        for values in itertools.product(*given.values()):
            changes = dict(zip(given, values, strict=True))
            varied = [_spelled(axis, changes[axis]) for axis in given if len(given[axis]) > 1]
            setting = "-".join(varied) or "run"
            while setting in taken:  # models whose names differ only in characters illegal in files
                setting += "+"
            taken.add(setting)
            before = f"{setting}-" if varied else ""
            for seed in seeds:
                name = f"{before}seed{seed}" if len(seeds) > 1 else setting
                yield name, setting, dataclasses.replace(self.base, **changes, seed=seed).resolved()


def _spelled(axis: str, value: Any) -> str:
    """A value as part of a folder's name."""
    short = {"num_candidates": "N", "threshold": "threshold"}.get(axis, "")
    text = Path(value).name if axis == "model" else str(value)
    return short + re.sub(r"[^\w.+-]+", "_", text).strip("._")[:60]
