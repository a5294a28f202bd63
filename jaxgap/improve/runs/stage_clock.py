"""Seconds spent in each stage of a round."""

from __future__ import annotations

import time


class StageClock:
    """Runs from its creation on, first in the stage `setup`."""

    def __init__(self):
        self._seconds: dict[str, float] = {}
        self._stage, self._since = "setup", time.perf_counter()

    def enter(self, stage: str) -> None:
        """Start a stage, which ends the previous one."""
        now = time.perf_counter()
        self._seconds[self._stage] = self._seconds.get(self._stage, 0.0) + now - self._since
        self._stage, self._since = stage, now

    def lap(self) -> dict[str, float]:
        """The seconds of each stage since the last lap, in order of first start.

        This ends the current stage; the time until the next one starts is called `between`.
        """
        self.enter("between")
        seconds, self._seconds = self._seconds, {}
        return seconds
