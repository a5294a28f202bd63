"""A RUN folder: a run's configuration, environment and measurements, readable at any time.

    config.json       the configuration
    own_parts.json    the names of a verifier or a task of the user's own, which were passed from
                      Python in place of those in config.json; only if there is one
    versions.json     python, jax, flax and other versions, git commit, device, seed, as of the last
                      start or resumption (notes.jsonl has what changed)
    metrics.jsonl     one line per checkpoint, on disk before the next round begins
    timings.jsonl     seconds spent in each stage leading to that checkpoint
    events.out.*      the same for TensorBoard, if the extra `tensorboard` is installed
    trajectory.csv    the same measurements as a table (from the third checkpoint on, as a
                      Trajectory needs three; with its sidecar trajectory.csv.json)
    checkpoints/      what an interrupted run resumes from
    notes.jsonl       unusual events, and what was done about them, if anything
    run.lock          held by the process that is working on the run

Every file is replaced atomically, except the events, which are appended to. Times are recorded only
in the events and in timings.jsonl, so the other files of two equal runs are byte-for-byte equal,
however often either was interrupted. With several processes, the first writes everything.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jaxgap.atomic_files import write_atomically
from jaxgap.errors import DiskFullError, InputError, RunError, is_disk_full
from jaxgap.improve.config import ImproveConfig
from jaxgap.improve.measures.metrics import RoundMetrics
from jaxgap.improve.runs.events import EventFile
from jaxgap.improve.runs.new_run_folder import without_run
from jaxgap.improve.runs.notes_file import NOTE_TIMES
from jaxgap.improve.runs.own_parts import (
    NO_OWN_PARTS,
    OwnParts,
    checked_own_parts,
    require_same_parts,
)
from jaxgap.improve.runs.row_file import intact_rows
from jaxgap.improve.runs.run_trajectory import to_trajectory
from jaxgap.improve.runs.stage_clock import StageClock
from jaxgap.improve.runs.versions import versions
from jaxgap.run_files import (
    CHECKPOINTS_FOLDER,
    CONFIG_FILE,
    METRICS_FILE,
    NOTES_FILE,
    OWN_PARTS_FILE,
    RUN_TABLE,
    TIMINGS_FILE,
    VERSIONS_FILE,
)
from jaxgap.sharding import is_first
from jaxgap.trajectory import write_csv
from jaxgap.trajectory.csv_file import sidecar_path
from jaxgap.trajectory.outside import parse_json, read_text, shown
from jaxgap.trajectory.record import MIN_ROWS

_WRITTEN = (
    CONFIG_FILE,
    OWN_PARTS_FILE,
    VERSIONS_FILE,
    METRICS_FILE,
    TIMINGS_FILE,
    RUN_TABLE,
    f"{RUN_TABLE}.json",
    NOTES_FILE,
)
_LEFT_OVER = re.compile(rf"\.({'|'.join(map(re.escape, _WRITTEN))})\.[a-z0-9_]{{8}}")


class RunFolder:
    """The RUN folder of a run. Make one with :meth:`create` or :meth:`reopen`."""

    def __init__(self, folder: Path, config: ImproveConfig, own_parts: OwnParts = NO_OWN_PARTS):
        self.folder = folder
        self.config = config
        self.own_parts = own_parts
        self._events = EventFile(folder)
        self._rows: list[dict[str, float]] = []
        self._timings: list[dict[str, Any]] = []
        self._notes: list[dict[str, Any]] = []
        self.left_out: list[str] = []  # damage found on reopening, a sentence each
        self._clock = StageClock()

    @classmethod
    def create(
        cls, folder: str | Path, config: ImproveConfig, own_parts: OwnParts = NO_OWN_PARTS
    ) -> RunFolder:
        """Start a run in a folder made by :func:`jaxgap.improve.runs.new_run_folder.empty_folder`.

        **Raises:** `InputError` if the folder already contains a run.
        """
        folder = Path(folder)
        self = cls(without_run(folder) if is_first() else folder, config, own_parts)
        self._write_settings()
        self.write_versions()
        return self

    @classmethod
    def reopen(cls, folder: str | Path) -> RunFolder:
        """The folder of an interrupted run; :meth:`rewind` sets where it resumes.

        Damaged lines of times and notes are dropped, and :attr:`left_out` says so: no measurement
        depends on them.

        **Raises:** `InputError` if it is not the folder of a run, or its settings are damaged.
        """
        folder = Path(folder)
        settings = folder / CONFIG_FILE
        config = ImproveConfig.from_dict(_read_json(settings), str(settings))
        names = folder / OWN_PARTS_FILE
        own_parts = (
            checked_own_parts(_read_json(names), str(names)) if names.exists() else NO_OWN_PARTS
        )
        self = cls(folder, config, own_parts)
        self._timings, bad_timings = intact_rows(folder / TIMINGS_FILE, (int, float))
        self._notes, bad_notes = intact_rows(folder / NOTES_FILE, NOTE_TIMES)
        self.left_out = [*bad_timings, *bad_notes]
        return self

    @property
    def checkpoints(self) -> Path:
        """The folder of the run's checkpoints."""
        return self.folder / CHECKPOINTS_FOLDER

    @property
    def rows(self) -> tuple[dict[str, float], ...]:
        """The measurements of every checkpoint so far."""
        return tuple(self._rows)

    @property
    def timings(self) -> tuple[dict[str, Any], ...]:
        """The intact rows of `timings.jsonl`: `t`, and the seconds of each stage.

        In a reopened run only `t` is known to be a number.
        """
        return tuple(self._timings)

    @property
    def last_timed(self) -> float:
        """The last round with recorded times, -1 if there is none."""
        return max((row["t"] for row in self._timings), default=-1.0)

    @property
    def metrics(self) -> tuple[RoundMetrics, ...]:
        """`rows` as :class:`RoundMetrics`."""
        return tuple(map(RoundMetrics.from_row, self._rows))

    def take_parts(self, own_parts: OwnParts) -> None:
        """Continue with these parts.

        Runs of versions that did not record them may continue with any.

        **Raises:** `InputError` if the run has recorded others.
        """
        if self.own_parts:
            require_same_parts(self.own_parts, own_parts, self.folder)
        self.own_parts = own_parts

    def rewind(self, rows: Sequence[dict[str, float]], config: ImproveConfig) -> None:
        """Continue after these measurements, discarding everything written later.

        **Arguments:**

        - `rows`: the measurements of the checkpoints so far.
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
        """Start timing a stage, which ends the previous one."""
        self._clock.enter(stage)

    def add(self, metrics: RoundMetrics) -> None:
        """Write a new checkpoint's measurements and times, and the table so far."""
        self._rows.append(metrics.row())
        self._timings.append({"t": float(metrics.round_index)} | self._clock.lap())
        self._write()
        self._guarded(lambda: self._events.add(self._rows[-1]))

    def changed_versions(self) -> dict[str, tuple[str, Any]]:
        """What has changed since the last start or resumption: old and new value by name."""
        before: Any = {}
        with contextlib.suppress(InputError):  # missing or damaged: no reason to stop
            before = _read_json(self.folder / VERSIONS_FILE)
        known = before if isinstance(before, dict) else {}
        return {
            name: (shown(str(known[name])), now)
            for name, now in self._versions().items()
            if known.get(name, now) != now
        }

    def write_versions(self) -> None:
        """Write `versions.json` with the current versions."""
        self._write_text(VERSIONS_FILE, _pretty(self._versions()))

    def _versions(self) -> dict[str, Any]:
        return versions() | {"seed": self.config.seed}

    def has_sign(self, name: str) -> bool:
        """Whether this sign of collapse was noted, possibly before an interruption."""
        return any(note.get("sign") == name for note in self._notes)

    def note(self, line: str, **what: str) -> None:
        """Note an unusual event, with extra fields for programs to search for."""
        last = self._rows[-1]["t"] if self._rows else None
        self._notes.append({"t": last, "note": line} | what)
        self._write_text(NOTES_FILE, _lines(self._notes))

    def _write(self) -> None:
        for name, rows in ((METRICS_FILE, self._rows), (TIMINGS_FILE, self._timings)):
            if rows or (self.folder / name).exists():
                self._write_text(name, _lines(rows))
        if len(self._rows) >= MIN_ROWS:
            settings = {**dataclasses.asdict(self.config), **self.own_parts}
            trajectory = to_trajectory(self.metrics, settings)
            self._guarded(lambda: write_csv(trajectory, self.folder / RUN_TABLE))
        else:  # the run went back to fewer rows than a table needs
            self._guarded(self._remove_table)

    def _remove_table(self) -> None:
        table = self.folder / RUN_TABLE
        for path in (table, sidecar_path(table)):
            path.unlink(missing_ok=True)

    def _write_settings(self) -> None:
        self._guarded(self._remove_left_over)
        # First, so that a folder with a configuration has all that the run was made with.
        if self.own_parts:
            self._write_text(OWN_PARTS_FILE, _pretty(self.own_parts))
        else:
            self._guarded(lambda: (self.folder / OWN_PARTS_FILE).unlink(missing_ok=True))
        self._write_text(CONFIG_FILE, _pretty(dataclasses.asdict(self.config)))

    def _remove_left_over(self) -> None:
        """Remove what :func:`write_atomically` leaves if it is killed."""
        for path in self.folder.iterdir():
            if _LEFT_OVER.fullmatch(path.name) and path.is_file():
                path.unlink()

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


def _read_json(path: Path) -> Any:
    """The JSON in a file of the run, read as untrusted input."""
    if not path.parent.is_dir():
        raise InputError(f"{path.parent}: no such folder; name the RUN of jaxgap improve")
    return parse_json(read_text(path), str(path))


def _lines(rows: Sequence[dict[str, Any]]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def _pretty(value: Mapping[str, Any]) -> str:
    return json.dumps(dict(value), indent=2) + "\n"
