"""`notes.jsonl` of a RUN: what was unusual, and whether and why the run ended early."""

from collections.abc import Sequence
from pathlib import Path
from types import NoneType
from typing import NamedTuple

from jaxgap.improve.runs.row_file import intact_rows
from jaxgap.run_files import NOTES_FILE

ENDED_EARLY = "ended early: "
"""The beginning of the note on the end that a watcher gave a run; the reason follows."""

NOTE_TIMES = (int, float, NoneType)
"""The types of a note's `t`; before the first measurement it is None."""


class Note(NamedTuple):
    """A note, and the last round measured when it was written; `None` before the first."""

    t: float | None
    text: str


def read_notes(folder: Path) -> tuple[Note, ...]:
    """The notes of a RUN folder in the order in which they were written, without damaged ones."""
    rows, _ = intact_rows(folder / NOTES_FILE, NOTE_TIMES)
    return tuple(Note(row["t"], row["note"]) for row in rows if isinstance(row.get("note"), str))


def early_end(notes: Sequence[Note], last: float) -> str | None:
    """Why the run ended early after the round `last`; `None` if it did not, or has gone on since.

    >>> notes = [Note(2.0, "the verifier got worse"), Note(4.0, "ended early: enough")]
    >>> early_end(notes, last=4.0), early_end(notes, last=5.0)
    ('enough', None)
    """
    reasons = [
        note.text.removeprefix(ENDED_EARLY)
        for note in notes
        if note.t == last and note.text.startswith(ENDED_EARLY)
    ]
    return reasons[-1] if reasons else None
