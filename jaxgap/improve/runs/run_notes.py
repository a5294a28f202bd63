"""Unusual events of a run: written to its folder, and reported to its watcher."""

from __future__ import annotations

from collections.abc import Sequence

from jaxgap.improve.measures.collapse import signs_of_collapse
from jaxgap.improve.measures.metrics import RoundMetrics
from jaxgap.improve.runs.run_folder import RunFolder
from jaxgap.improve.watcher import Watcher


class RunNotes:
    """Writes and reports notes.

    **Arguments:**

    - `run`: the folder.
    - `watcher`: receives the notes.
    """

    def __init__(self, run: RunFolder, watcher: Watcher):
        self._run, self._watcher = run, watcher

    def add(self, line: str, **what: str) -> None:
        """Note a line, with extra fields for programs to search for."""
        self._run.note(line, **what)
        self._watcher.on_note(line)

    def add_changed_versions(self) -> None:
        """Note the versions that changed since the last start or resumption."""
        for name, (before, now) in self._run.changed_versions().items():
            self.add(f"continues with {name} {now}, previously {before}")

    def add_missing_checkpoint(self, newest: int) -> None:
        """Note if the last measured round has no checkpoint: deleted, or never completed.

        **Arguments:**

        - `newest`: the last round with a checkpoint, -1 if there is none.
        """
        measured = self._run.last_timed
        if measured > newest:
            place = "the beginning" if newest < 0 else f"checkpoint {newest}"
            self.add(f"there is no checkpoint of round {measured:g}: continuing from {place}")

    def add_signs_of_collapse(self, history: Sequence[RoundMetrics]) -> None:
        """Note each sign of collapse the first time it shows.

        It may already have been noted in a round that was since rolled back; or an interruption may
        have come after its round was saved and before it was noted.

        **Arguments:**

        - `history`: the measurements up to some checkpoint.
        """
        for name, sentence in signs_of_collapse(history).items():
            if not self._run.has_sign(name):
                self.add(sentence, sign=name)
