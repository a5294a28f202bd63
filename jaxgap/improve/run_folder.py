"""A RUN folder: what a run was asked to do, on what, and what it measured, readable at any moment.

    config.json       the configuration
    versions.json     python, jax, flax and other versions, git commit, device, seed
    metrics.jsonl     one line a checkpoint, on disk before the next round begins
    timings.jsonl     seconds spent in each stage on the way to that checkpoint
    trajectory.csv    the same measurements as a table, replaced whole (from the third checkpoint
                      on, as a Trajectory needs three; with its sidecar trajectory.csv.json)

Recorded times have a file of their own, so that the others are equal byte for byte where two runs
are equal.
"""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from jaxgap.errors import InputError
from jaxgap.improve.config import ImproveConfig
from jaxgap.improve.embedded import run
from jaxgap.improve.loop import OnStage, Stage
from jaxgap.improve.metrics import RoundMetrics
from jaxgap.improve.versions import versions
from jaxgap.trajectory import Trajectory, write_csv

MIN_CHECKPOINTS = 3


def improve_to_folder(
    config: ImproveConfig,
    folder: str | Path,
    on_round: Callable[[RoundMetrics], None] = lambda metrics: None,
    on_stage: OnStage = lambda round_index, stage: None,
) -> tuple[RoundMetrics, ...]:
    """Improve the embedded model and keep what is measured in a RUN folder.

    **Arguments:**

    - `config`: the run.
    - `folder`: where it is kept; made if it is not there.
    - `on_round`: called with each checkpoint's measurements once they are on disk.
    - `on_stage`: called with the round and the stage as each stage begins.

    **Returns:** the measurements of every checkpoint.

    **Raises:** `InputError` if `folder` is not empty or is a file. An interruption leaves what was
    measured so far.
    """
    writer = RunFolder(folder, config)

    def enter(round_index: int, stage: Stage) -> None:
        writer.enter(stage)
        on_stage(round_index, stage)

    for checkpoint in run(config, enter):
        writer.add(checkpoint.metrics)
        on_round(checkpoint.metrics)
    return tuple(writer.metrics)


class RunFolder:
    """A new RUN folder, to which checkpoints are added one by one."""

    def __init__(self, folder: str | Path, config: ImproveConfig):
        self.folder = _empty_folder(Path(folder))
        self.config = config
        self.metrics: list[RoundMetrics] = []
        self._seconds: dict[str, float] = {}
        self._stage: str = "setup"
        self._since = time.perf_counter()
        self._write_json("config.json", dataclasses.asdict(config))
        self._write_json("versions.json", versions() | {"seed": config.seed})

    def enter(self, stage: Stage) -> None:
        """Note that a stage begins, and so that the one before it has ended."""
        self._charge(stage)

    def add(self, metrics: RoundMetrics) -> None:
        """Write one more checkpoint, its times, and the table so far."""
        self._charge("between")
        self.metrics.append(metrics)
        self._append("metrics.jsonl", metrics.row())
        self._append("timings.jsonl", {"t": float(metrics.round_index)} | self._seconds)
        self._seconds = {}
        if len(self.metrics) >= MIN_CHECKPOINTS:
            trajectory = to_trajectory(self.metrics, dataclasses.asdict(self.config))
            write_csv(trajectory, self.folder / "trajectory.csv")

    def _charge(self, next_stage: str) -> None:
        now = time.perf_counter()
        self._seconds[self._stage] = self._seconds.get(self._stage, 0.0) + now - self._since
        self._stage, self._since = next_stage, now

    def _append(self, name: str, row: dict[str, Any]) -> None:
        with (self.folder / name).open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")

    def _write_json(self, name: str, value: dict[str, Any]) -> None:
        (self.folder / name).write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")


def to_trajectory(
    metrics: Sequence[RoundMetrics], provenance: dict[str, Any] | None = None
) -> Trajectory:
    """The measurements of at least three checkpoints as a Trajectory, its time in rounds."""
    rows = [checkpoint.row() for checkpoint in metrics]
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    return Trajectory(
        ts=columns.pop("t"),
        solver=columns.pop("solver"),
        verifier=columns.pop("verifier"),
        solver_se=columns.pop("solver_se"),
        verifier_se=columns.pop("verifier_se"),
        extra=columns,
        time_unit="round",
        provenance={"program": "jaxgap improve"} | (provenance or {}),
    )


def _empty_folder(folder: Path) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder} cannot be made a RUN folder: {error.strerror}") from error
    if any(folder.iterdir()):
        raise InputError(f"{folder} is not empty: give a new folder, or remove this one")
    return folder
