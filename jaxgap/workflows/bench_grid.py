"""What a bench varies: model, task, verifier, N, sigma, seed."""

from __future__ import annotations

import dataclasses
import itertools
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jaxgap.improve import ImproveConfig


@dataclasses.dataclass(frozen=True)
class Grid:
    """What is varied; everything not varied is in `base`.

    **Fields:**

    - `base`: the configuration that all runs share.
    - `models`, `tasks`, `verifiers`, `candidate_counts`, `thresholds`, `seeds`: values to combine;
        where empty, that of `base`.
    """

    base: ImproveConfig
    models: Sequence[str] = ()
    tasks: Sequence[str] = ()
    verifiers: Sequence[str] = ()
    candidate_counts: Sequence[int] = ()
    thresholds: Sequence[float] = ()
    seeds: Sequence[int] = ()

    def configs(self) -> dict[str, ImproveConfig]:
        """Every combination, by a name made of what is varied.

        **Raises:** `InputError` naming what does not fit together.

        >>> list(Grid(ImproveConfig(), thresholds=(0.5, 0.9), seeds=(0,)).configs())
        ['threshold0.5', 'threshold0.9']
        """
        axes = {
            "model": self.models,
            "task": self.tasks,
            "verifier": self.verifiers,
            "num_candidates": self.candidate_counts,
            "threshold": self.thresholds,
            "seed": self.seeds,
        }
        given = {name: tuple(dict.fromkeys(values)) for name, values in axes.items() if values}
        varied = [name for name, values in given.items() if len(values) > 1]
        found = {}
        for values in itertools.product(*given.values()):
            changes = dict(zip(given, values, strict=True))
            name = "-".join(_spelled(axis, changes[axis]) for axis in varied) or "run"
            while name in found:  # two models whose names differ in what a file name cannot hold
                name += "+"
            found[name] = dataclasses.replace(self.base, **changes).resolved()
        return found

    def setting_of(self, name: str) -> str:
        """A run's name without its seed: what the seeds of one setting have in common.

        >>> Grid(ImproveConfig(), thresholds=(0.5, 0.9), seeds=(0, 1)).setting_of(
        ...     "threshold0.5-seed1"
        ... )
        'threshold0.5'
        """
        if len(set(self.seeds)) < 2:
            return name
        return re.sub(r"-?seed\d+(\+*)$", r"\1", name) or "run"


def _spelled(axis: str, value: Any) -> str:
    """A value as part of a folder's name."""
    short = {"num_candidates": "N", "threshold": "threshold", "seed": "seed"}.get(axis, "")
    text = Path(value).name if axis == "model" else str(value)
    return short + re.sub(r"[^\w.+-]+", "_", text).strip("._")[:60]
