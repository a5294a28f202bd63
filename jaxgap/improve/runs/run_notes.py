"""What happens out of the ordinary in a run: written into its folder, and told to its watcher."""

from __future__ import annotations

from collections.abc import Sequence

from jaxgap.improve.measures.collapse import signs_of_collapse
from jaxgap.improve.measures.metrics import RoundMetrics
from jaxgap.improve.runs.run_folder import RunFolder
from jaxgap.improve.watcher import Watcher


class RunNotes:
    """Writes and tells notes.

    **Arguments:**

    - `run`: the folder.
    - `watcher`: who is told.
    """

    def __init__(self, run: RunFolder, watcher: Watcher):
        self._run, self._watcher = run, watcher

    def add(self, line: str, **what: str) -> None:
        """Note a line, with what a program may look for in it."""
        self._run.note(line, **what)
        self._watcher.on_note(line)

    def add_changed_versions(self) -> None:
        """Note what is other than where the run last went on."""
        for name, (before, now) in self._run.changed_versions().items():
            self.add(f"continues with {name} {now}, previously {before}")

    def add_missing_checkpoint(self, newest: int) -> None:
        """Note a round that was measured, if its checkpoint is deleted or was never whole.

        **Arguments:**

        - `newest`: the last round of which there is a checkpoint, -1 if there is none.
        """
        measured = self._run.last_timed
        if measured > newest:
            place = "the beginning" if newest < 0 else f"checkpoint {newest}"
            self.add(f"there is no checkpoint of round {measured:g}: continuing from {place}")

    def add_signs_of_collapse(self, history: Sequence[RoundMetrics]) -> None:
        """Note each sign of a collapse the first time that it shows.

        It may have been noted in a round that was undone since, or its round may have been kept and
        an interruption have come before it was noted.

        **Arguments:**

        - `history`: the measurements until some checkpoint.
        """
        for name, sentence in signs_of_collapse(history).items():
            if not self._run.has_sign(name):
                self.add(sentence, sign=name)
