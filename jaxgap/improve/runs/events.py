"""A run's measurements as TensorBoard events, for watching many runs at once.

TensorBoard follows a file as it grows, so a checkpoint's measurements are appended. A resumed run
instead starts a new file with all rows so far and removes the old ones, so that no step appears
twice. Tags are the names in `metrics.jsonl`, steps are rounds; the wall time of an event is when it
was written, which for rows before an interruption is when the run resumed.

Needs TensorBoard's own record writer (the extra `tensorboard`); without it nothing is written.
"""

from __future__ import annotations

import importlib.util
import io
import os
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from jaxgap.atomic_files import replace_file
from jaxgap.trajectory.sources.tensorboard import EVENT_FILES

_VERSION = "brain.Event:2"  # format version, which readers expect in a file's first record


class EventFile:
    """The event file of a RUN folder; does nothing without the extra `tensorboard`.

    **Arguments:**

    - `folder`: the RUN folder.
    """

    def __init__(self, folder: Path):
        self._folder = folder
        self._path: Path | None = None
        self._can_write = importlib.util.find_spec("tensorboard") is not None

    def restart(self, rows: Iterable[Mapping[str, float]]) -> None:
        """Start a new file with these rows, replacing all existing ones.

        **Raises:** `OSError` if it cannot be written.
        """
        if not self._can_write:
            return
        before = list(self._folder.glob(EVENT_FILES))
        # Readers read the files of a folder in the order of their names.
        self._path = self._folder / f"events.out.tfevents.{time.time():.6f}"
        replace_file(self._path, _record(file_version=_VERSION) + b"".join(map(_row, rows)))
        for path in before:
            path.unlink()

    def add(self, row: Mapping[str, float]) -> None:
        """Append one checkpoint's row; it is on disk when this returns.

        **Raises:** `OSError` if it cannot be written.
        """
        if self._path is None:
            return
        with self._path.open("ab") as file:
            file.write(_row(row))
            file.flush()
            os.fsync(file.fileno())


def _row(row: Mapping[str, float]) -> bytes:
    values = [{"tag": name, "simple_value": value} for name, value in row.items() if name != "t"]
    return _record(step=int(row["t"]), summary={"value": values})


def _record(**fields: Any) -> bytes:
    """One event, framed as in a file: its length and its bytes, each with a checksum."""
    from tensorboard.compat.proto import event_pb2  # pyright: ignore[reportMissingImports]
    from tensorboard.summary.writer.record_writer import (  # pyright: ignore[reportMissingImports]
        RecordWriter,
    )

    buffer = io.BytesIO()
    event = event_pb2.Event(  # pyright: ignore[reportAttributeAccessIssue]
        wall_time=time.time(), **fields
    )
    RecordWriter(buffer).write(event.SerializeToString())
    return buffer.getvalue()
