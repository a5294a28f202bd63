"""Loops side by side: model, task, verifier, N, sigma, seed, and the cost per point of accuracy.

Every run has a folder of its own, so an interrupted bench resumes where it stopped. A run that
cannot continue does not stop the others.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from jaxgap.errors import DiskFullError, InputError, RunError, first_of
from jaxgap.fitting import LinearLaw, fit_many
from jaxgap.improve import ImproveConfig, Watcher, assemble, improve_to_folder, resume_folder
from jaxgap.improve.cost import Cost, run_cost
from jaxgap.improve.measures.metrics import RoundMetrics
from jaxgap.improve.parts import Loop
from jaxgap.improve.runs.run_trajectory import to_trajectory
from jaxgap.models import Params
from jaxgap.sharding import on_mesh
from jaxgap.workflows.bench_checks import check_runs, is_begun
from jaxgap.workflows.bench_grid import Grid
from jaxgap.workflows.bench_row import BenchRow, seconds_of
from jaxgap.workflows.bench_setting import Setting
from jaxgap.workflows.host_device import on_host

MIN_ROUNDS = 2  # a fit needs three checkpoints

_Done = tuple[tuple[RoundMetrics, ...], Cost]


@dataclasses.dataclass(frozen=True)
class Bench:
    """The results of a bench.

    **Fields:**

    - `rows`: the runs that reached their last round.
    - `failed`: by name, why the others did not.
    """

    rows: tuple[BenchRow, ...]
    failed: Mapping[str, str]

    @property
    def settings(self) -> tuple[Setting, ...]:
        """The runs grouped by setting: those of one group differ only in the seed."""
        groups: dict[str, list[BenchRow]] = {}
        for row in self.rows:
            groups.setdefault(row.setting, []).append(row)
        return tuple(Setting(name, rows) for name, rows in groups.items())

    @property
    def means(self) -> tuple[Setting, ...]:
        """The settings with two or more seeds, whose means have a standard error."""
        return tuple(setting for setting in self.settings if len(setting.rows) > 1)

    def to_dict(self) -> dict[str, Any]:
        """The public JSON form: nothing in it is NaN or infinite."""
        return {
            "runs": [row.to_dict() for row in self.rows],
            "settings": [setting.to_dict() for setting in self.means],
            "failed": [{"run": name, "reason": why} for name, why in self.failed.items()],
        }


def run_bench(
    grid: Grid,
    folder: str | Path,
    watch: Callable[[str], Watcher] = lambda name: Watcher(),
) -> Bench:
    """Do the runs that are not done yet, and compare all of them.

    **Arguments:**

    - `grid`: what to run.
    - `folder`: contains one RUN folder for each run; created if it does not exist. Runs of an
        earlier bench in it, complete or interrupted, continue where they are, even if their names
        differ now.
    - `watch`: the watcher of each run, by the run's name.

    **Raises:** `InputError`, before anything runs, if the combinations are inconsistent, a model or
    a task does not exist, a folder in `folder` has a run of the same name with other settings or
    with a verifier or a task of the user's own, its bench.json compares runs that are not in the
    grid, or it cannot be written to; `DiskFullError` if the disk is full; `RunError` if no run
    reached its last round.
    """
    folder, configs, settings = Path(folder), grid.configs(), grid.settings()
    if grid.base.num_rounds < MIN_ROUNDS:
        raise InputError(f"num_rounds must be at least {MIN_ROUNDS} here, for the fits")
    places = check_runs(configs, folder)
    done, failed = _run_all(configs, places, watch)
    if not done:
        raise RunError(f"no run reached its last round: {failure_line(failed)}")
    with on_host():
        results = fit_many(LinearLaw(), [to_trajectory(metrics) for metrics, _ in done.values()])
    rows = []
    for (name, (metrics, cost)), result in zip(done.items(), results, strict=True):
        config, run = configs[name], places[name]
        seconds = seconds_of(run, config, len(metrics))
        rows.append(BenchRow(name, run, config, settings[name], metrics, result, cost, seconds))
    return Bench(tuple(rows), failed)


def failure_line(failed: Mapping[str, str]) -> str:
    """The first run that failed and why, and how many more did."""
    return first_of(f"{name}: {why}" for name, why in failed.items())


def _run_all(
    configs: Mapping[str, ImproveConfig],
    places: Mapping[str, Path],
    watch: Callable[[str], Watcher],
) -> tuple[dict[str, _Done], dict[str, str]]:
    """The measurements and cost of each run, and why others failed."""
    done, failed = {}, {}
    for name, config in configs.items():
        watcher = watch(name)
        # Only an error's message is kept: its traceback would keep the run's memory alive.
        try:
            done[name] = _run(config, places[name], watcher)
            continue
        except DiskFullError:  # every other run would fail too
            raise
        except (InputError, RunError) as error:
            failed[name] = str(error)
        watcher.on_note(f"{name} failed: {failed[name]}")
    return done, failed


def _run(config: ImproveConfig, run: Path, watcher: Watcher) -> _Done:
    """Complete one run, and count its total cost."""
    parts: list[tuple[Loop, Params]] = []

    def keep_parts(config: ImproveConfig) -> tuple[Loop, Params]:
        loop, params = assemble(config)
        if not parts:  # later calls only need the weights
            parts.append((loop, loop.abstract_state(params).params))
        return loop, params

    if is_begun(run):
        metrics = resume_folder(run, watcher, assemble=keep_parts)
    else:
        metrics = improve_to_folder(config, run, watcher, assemble=keep_parts)
    with on_mesh(config.mesh):
        return metrics, run_cost(*parts[0], metrics)
