"""Seconds spent in each stage of a round."""

from __future__ import annotations

import time


class StageClock:
    """Runs from its making on, in the stage `setup`."""

    def __init__(self):
        self._seconds: dict[str, float] = {}
        self._stage, self._since = "setup", time.perf_counter()

    def enter(self, stage: str) -> None:
        """A stage begins, and so the one before it has ended."""
        now = time.perf_counter()
        self._seconds[self._stage] = self._seconds.get(self._stage, 0.0) + now - self._since
        self._stage, self._since = stage, now

    def lap(self) -> dict[str, float]:
        """The seconds of each stage since the last lap, in the order of their first beginning.

        The stage that runs is at its end; what follows until the next begins is called `between`.
        """
        self.enter("between")
        seconds, self._seconds = self._seconds, {}
        return seconds
