"""A RUN folder: what a run was asked to do, on what, and what it measured, readable at any moment.

    config.json       the configuration
    versions.json     python, jax, flax and other versions, git commit, device, seed: those that it
                      last went on with (what they were before is noted)
    metrics.jsonl     one line a checkpoint, on disk before the next round begins
    timings.jsonl     seconds spent in each stage on the way to that checkpoint
    events.out.*      the same for TensorBoard, if the extra `tensorboard` is installed
    trajectory.csv    the same measurements as a table (from the third checkpoint on, as a
                      Trajectory needs three; with its sidecar trajectory.csv.json)
    checkpoints/      what the run goes on from if it is interrupted
    notes.jsonl       what happened out of the ordinary, and what was done about it, if anything
    run.lock          held by the process that is at work on the run

Every file is replaced whole, but for the events, which grow as TensorBoard follows them. Recorded
times stand in those and in a file of their own, so that the others are equal byte for byte where
two runs are equal, however often either was interrupted. Of several processes at work on one run
the first writes them all.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from types import NoneType
from typing import Any

from jaxgap.errors import DiskFullError, InputError, RunError, is_disk_full
from jaxgap.improve.config import ImproveConfig
from jaxgap.improve.measures.metrics import RoundMetrics
from jaxgap.improve.runs.events import EventFile
from jaxgap.improve.runs.run_files import CONFIG_FILE, METRICS_FILE
from jaxgap.improve.runs.run_lock import LOCK_FILE
from jaxgap.improve.runs.run_trajectory import to_trajectory
from jaxgap.improve.runs.stage_clock import StageClock
from jaxgap.improve.runs.versions import versions
from jaxgap.sharding import is_first
from jaxgap.trajectory import write_csv
from jaxgap.trajectory.atomic import write_atomically
from jaxgap.trajectory.csv_file import sidecar_path
from jaxgap.trajectory.outside import parse_json, read_text, shown
from jaxgap.trajectory.read import RUN_TABLE
from jaxgap.trajectory.record import MIN_ROWS

_CHECKPOINTS = "checkpoints"
_TIMINGS = "timings.jsonl"
_NOTES = "notes.jsonl"
_VERSIONS = "versions.json"


class RunFolder:
    """A RUN folder that a run writes to. Make one by :meth:`create` or :meth:`reopen`."""

    def __init__(self, folder: Path, config: ImproveConfig):
        self.folder = folder
        self.config = config
        self._events = EventFile(folder)
        self._rows: list[dict[str, float]] = []
        self._timings: list[dict[str, Any]] = []
        self._notes: list[dict[str, Any]] = []
        self.left_out: list[str] = []  # what was damaged as it was reopened, a sentence each
        self._clock = StageClock()

    @classmethod
    def create(cls, folder: str | Path, config: ImproveConfig) -> RunFolder:
        """Begin a run in a folder as :func:`empty_folder` gives it.

        **Raises:** `InputError` if the folder holds a run already.
        """
        folder = Path(folder)
        self = cls(_without_run(folder) if is_first() else folder, config)
        self._write_settings()
        self.write_versions()
        return self

    @classmethod
    def reopen(cls, folder: str | Path) -> RunFolder:
        """The folder of an interrupted run; :meth:`rewind` says where it goes on.

        Lines of times and of notes that are damaged are left out, as :attr:`left_out` then says:
        nothing that is measured follows from them.

        **Raises:** `InputError` if it is not the folder of a run, or its settings are damaged.
        """
        folder = Path(folder)
        settings = folder / CONFIG_FILE
        config = ImproveConfig.from_dict(_read_json(settings), str(settings))
        self = cls(folder, config)
        self._timings = self._intact_rows(_TIMINGS, (int, float))
        self._notes = self._intact_rows(_NOTES, (int, float, NoneType))
        return self

    def _intact_rows(self, name: str, types: tuple[type, ...]) -> list[dict[str, Any]]:
        """The lines of a file that are rows with a time of these types."""
        path = self.folder / name
        if not path.exists() or not path.stat().st_size:
            return []
        try:
            lines = read_text(path).splitlines()
        except InputError as error:
            self.left_out.append(f"{error}: {name} is begun anew")
            return []
        rows = [row for line in lines if (row := _intact_row(line, types)) is not None]
        if len(rows) < len(lines):
            self.left_out.append(f"damaged lines of {name}, left out: {len(lines) - len(rows)}")
        return rows

    @property
    def checkpoints(self) -> Path:
        """Where the run's checkpoints lie."""
        return self.folder / _CHECKPOINTS

    @property
    def rows(self) -> tuple[dict[str, float], ...]:
        """The measurements of every checkpoint so far."""
        return tuple(self._rows)

    @property
    def timings(self) -> tuple[dict[str, Any], ...]:
        """The rows of `timings.jsonl`, less damaged ones: `t`, and by its stage what was written.

        Of a reopened run only `t` is known to be a number.
        """
        return tuple(self._timings)

    @property
    def last_timed(self) -> float:
        """The last round whose times are written down, -1 if there is none."""
        return max((row["t"] for row in self._timings), default=-1.0)

    @property
    def metrics(self) -> tuple[RoundMetrics, ...]:
        """`rows` as :class:`RoundMetrics`."""
        return tuple(map(RoundMetrics.from_row, self._rows))

    def rewind(self, rows: Sequence[dict[str, float]], config: ImproveConfig) -> None:
        """Go on after these measurements, leaving out whatever was written later.

        **Arguments:**

        - `rows`: the measurements of the checkpoints before.
        - `config`: the settings from here on.
        """
        self.config = config
        self._rows = [dict(row) for row in rows]
        last = self._rows[-1]["t"] if self._rows else -1.0
        self._timings = [row for row in self._timings if row["t"] <= last]
        self._write_settings()
        self._write()
        self._guarded(lambda: self._events.restart(self._rows))

    def enter(self, stage: str) -> None:
        """Note that a stage begins, and so that the one before it has ended."""
        self._clock.enter(stage)

    def add(self, metrics: RoundMetrics) -> None:
        """Write one more checkpoint's measurements, its times, and the table so far."""
        self._rows.append(metrics.row())
        self._timings.append({"t": float(metrics.round_index)} | self._clock.lap())
        self._write()
        self._guarded(lambda: self._events.add(self._rows[-1]))

    def changed_versions(self) -> dict[str, tuple[str, Any]]:
        """What is other than where the run last went on: the old, and the new."""
        before: Any = {}
        with contextlib.suppress(InputError):  # missing or damaged, which is no reason to stop
            before = _read_json(self.folder / _VERSIONS)
        known = before if isinstance(before, dict) else {}
        return {
            name: (shown(str(known[name])), now)
            for name, now in self._versions().items()
            if known.get(name, now) != now
        }

    def write_versions(self) -> None:
        """Write down what the run goes on with."""
        self._write_text(_VERSIONS, _pretty(self._versions()))

    def _versions(self) -> dict[str, Any]:
        return versions() | {"seed": self.config.seed}

    def has_sign(self, name: str) -> bool:
        """Whether this sign of a collapse was written down, perhaps before an interruption."""
        return any(note.get("sign") == name for note in self._notes)

    def note(self, line: str, **what: str) -> None:
        """Write down something out of the ordinary, with what a program may look for in it."""
        last = self._rows[-1]["t"] if self._rows else None
        self._notes.append({"t": last, "note": line} | what)
        self._write_text(_NOTES, _lines(self._notes))

    def _write(self) -> None:
        for name, rows in ((METRICS_FILE, self._rows), (_TIMINGS, self._timings)):
            if rows or (self.folder / name).exists():
                self._write_text(name, _lines(rows))
        if len(self._rows) >= MIN_ROWS:
            trajectory = to_trajectory(self.metrics, dataclasses.asdict(self.config))
            self._guarded(lambda: write_csv(trajectory, self.folder / RUN_TABLE))
        else:  # of a run that went back further than a table reaches
            self._guarded(self._remove_table)

    def _remove_table(self) -> None:
        table = self.folder / RUN_TABLE
        for path in (table, sidecar_path(table)):
            path.unlink(missing_ok=True)

    def _write_settings(self) -> None:
        self._write_text(CONFIG_FILE, _pretty(dataclasses.asdict(self.config)))

    def _write_text(self, name: str, text: str) -> None:
        self._guarded(lambda: write_atomically(self.folder / name, text))

    def _guarded(self, write) -> None:
        if not is_first():
            return
        try:
            write()
        except OSError as error:
            raise (DiskFullError if is_disk_full(error) else RunError)(
                f"{self.folder}: cannot be written ({error.strerror}); what is in it is intact"
            ) from error


def empty_folder(folder: str | Path) -> Path:
    """A folder for a new run, made if it is not there.

    **Raises:** `InputError` if it is not empty, or cannot be made.
    """
    folder = require_free(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder} cannot be made a RUN folder: {error.strerror}") from error
    return folder


def require_free(folder: str | Path) -> Path:
    """Refuse a folder that holds anything; one that is not there yet is fine.

    So is what is left of a run that ended before it had settings.

    **Raises:** `InputError`.
    """
    folder = _without_run(Path(folder))
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} cannot be made a RUN folder: it is a file")
    if folder.is_dir() and any(not _is_left_over(path) for path in folder.iterdir()):
        raise InputError(f"{folder} is not empty: use a new folder, or remove this one")
    return folder


def _is_left_over(path: Path) -> bool:
    return path.name == LOCK_FILE or path.name.startswith(f".{CONFIG_FILE}.")


def _without_run(folder: Path) -> Path:
    if (folder / CONFIG_FILE).exists():
        raise InputError(f"{folder} already contains a run: resume it with --resume {folder}")
    return folder


def _read_json(path: Path) -> Any:
    """The JSON of a file of the run, read as from a stranger."""
    if not path.parent.is_dir():
        raise InputError(f"{path.parent}: no such folder; name the RUN of jaxgap improve")
    return parse_json(read_text(path), str(path))


def _intact_row(line: str, types: tuple[type, ...]) -> dict[str, Any] | None:
    try:
        row = parse_json(line, "")
    except InputError:
        return None
    return row if isinstance(row, dict) and type(row.get("t", "")) in types else None


def _lines(rows: Sequence[dict[str, Any]]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def _pretty(value: dict[str, Any]) -> str:
    return json.dumps(value, indent=2) + "\n"
