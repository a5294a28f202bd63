"""Loops side by side: model, task, verifier, N, sigma, seed, and what a point of accuracy costs.

Every run is kept in a folder of its own, so an interrupted bench goes on where it stood.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from jaxgap.errors import InputError
from jaxgap.fitting import FitResult, LinearLaw, fit_many
from jaxgap.improve import ImproveConfig, Watcher, assemble, improve_to_folder, resume_folder
from jaxgap.improve.assembly import draw_problems
from jaxgap.improve.cost import Cost, run_cost, trained_on
from jaxgap.improve.estimate import Estimate
from jaxgap.improve.loop import Loop
from jaxgap.improve.metrics import RoundMetrics
from jaxgap.improve.run_folder import RunFolder, to_trajectory
from jaxgap.models import Params
from jaxgap.sharding import on_mesh
from jaxgap.trajectory.outside import parse_json, read_text

_ANSWERING = ("generate", "verify", "select")
MIN_ROUNDS = 2  # a fit needs three checkpoints


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


@dataclasses.dataclass(frozen=True)
class BenchRow:
    """One run of a bench.

    **Fields:**

    - `name`, `config`: the run.
    - `metrics`: of every checkpoint.
    - `result`: the paper's law fitted to the held-out curves.
    - `cost`: tokens and operations of its rounds.
    - `seconds`: that its rounds took, measuring left out.
    """

    name: str
    config: ImproveConfig
    metrics: tuple[RoundMetrics, ...]
    result: FitResult
    cost: Cost
    seconds: float

    @property
    def gained(self) -> Estimate:
        """Points of held-out accuracy at temperature 1 from the first checkpoint to the last.

        The standard error takes the two as independent; they share prompts, so it is too large.
        """
        first, last = (self.metrics[i].held_out.solver_accuracy for i in (0, -1))
        error = (first.stderr**2 + last.stderr**2) ** 0.5
        return Estimate(100 * (last.mean - first.mean), 100 * error)

    def per_point(self, amount: float) -> float | None:
        """What a point of accuracy cost; None where none was gained."""
        return amount / self.gained.mean if self.gained.mean > 0 else None

    def to_dict(self) -> dict[str, Any]:
        """The public JSON form: nothing in it is NaN or infinite."""
        first, last = (self.metrics[i].held_out.solver_accuracy for i in (0, -1))
        amounts = {"tokens": self.cost.tokens, "flops": self.cost.flops, "seconds": self.seconds}
        return {
            "run": self.name,
            "config": dataclasses.asdict(self.config),
            "rate": self.result.parameters["rate"].to_dict(),
            "ratio": self.result.parameters["ratio"].to_dict(),
            "limit": self.result.limits["solver"].to_dict(),
            "warnings": list(self.result.warnings),
            "accuracy": {"first": first.mean, "last": last.mean},
            "points_gained": {"mean": self.gained.mean, "stderr": self.gained.stderr},
            "cost": amounts,
            "cost_per_point": {name: self.per_point(value) for name, value in amounts.items()},
        }


def run_bench(
    grid: Grid,
    folder: str | Path,
    watch: Callable[[str], Watcher] = lambda name: Watcher(),
) -> tuple[BenchRow, ...]:
    """Run what is not done yet, and compare all of it.

    **Arguments:**

    - `grid`: what to run.
    - `folder`: holds one RUN folder for each; made if it is not there.
    - `watch`: from a run's name to who is told what happens in it.

    **Raises:** `InputError` if the combinations do not fit together, or a folder in `folder` holds
    a run of the same name with other settings.
    """
    folder, configs = Path(folder), grid.configs()
    if grid.base.num_rounds < MIN_ROUNDS:
        raise InputError(f"num_rounds must be at least {MIN_ROUNDS} here, for the fits")
    for name, config in configs.items():
        _check_same(folder / name, config)
    new = [config for name, config in configs.items() if not _is_begun(folder / name)]
    for config in {_problems_of(config): config for config in new}.values():
        draw_problems(config)
    done = {name: _run(config, folder / name, watch(name)) for name, config in configs.items()}
    runs = [to_trajectory(metrics) for metrics, _ in done.values()]
    results = fit_many(LinearLaw(), runs)
    rows = []
    for (name, config), result in zip(configs.items(), results, strict=True):
        metrics, cost = done[name]
        seconds = _seconds(folder / name, config)
        rows.append(BenchRow(name, config, metrics, result, cost, seconds))
    return tuple(rows)


def _run(
    config: ImproveConfig, run: Path, watcher: Watcher
) -> tuple[tuple[RoundMetrics, ...], Cost]:
    """Do what is left of one run, and count what all of it cost."""
    parts: list[tuple[Loop, Params]] = []

    def keep_parts(config: ImproveConfig) -> tuple[Loop, Params]:
        loop, params = assemble(config)
        if not parts:  # a run that asks again wants the weights only
            parts.append((loop, loop.abstract_state(params).params))
        return loop, params

    if _is_begun(run):
        metrics = resume_folder(run, watcher, assemble=keep_parts)
    else:
        metrics = improve_to_folder(config, run, watcher, assemble=keep_parts)
    with on_mesh(config.mesh):
        return metrics, run_cost(*parts[0], metrics)


def _is_begun(run: Path) -> bool:
    return (run / "config.json").exists()


def _problems_of(config: ImproveConfig) -> tuple[Any, ...]:
    """What a run's problems depend on."""
    sizes = (config.num_train_prompts, config.num_held_out_prompts, config.seed)
    return (config.task, config.task_options, *sizes)


def _seconds(run: Path, config: ImproveConfig) -> float:
    """How long the stages took that improve the model."""
    rows = [parse_json(line, str(run)) for line in read_text(run / "timings.jsonl").splitlines()]
    used = trained_on(config, rows)
    answering = sum(row.get(stage, 0.0) for row in used for stage in _ANSWERING)
    return float(answering + sum(row.get("train", 0.0) for row in rows))


def _check_same(run: Path, config: ImproveConfig) -> None:
    if not _is_begun(run):
        return
    there = RunFolder.reopen(run).config
    for field in dataclasses.fields(config):
        old, new = getattr(there, field.name), getattr(config, field.name)
        if old != new:
            raise InputError(
                f"{run} holds a run with {field.name}={json.dumps(old)}, not {json.dumps(new)}: "
                "name another folder by --out"
            )


def _spelled(axis: str, value: Any) -> str:
    """A value as part of a folder's name."""
    short = {"num_candidates": "N", "threshold": "threshold", "seed": "seed"}.get(axis, "")
    text = Path(value).name if axis == "model" else str(value)
    return short + re.sub(r"[^\w.+-]+", "_", text).strip("._")[:60]
