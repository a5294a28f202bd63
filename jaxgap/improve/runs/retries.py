"""Rounds drawn afresh after numbers that were not finite: how often, and with which keys."""

from __future__ import annotations

from jaxgap.improve.records import LoopState


class Retries:
    """Counts failures, anew whenever the run gets further than it was at the one before.

    **Arguments:**

    - `limit`: how often a round may be drawn afresh, >= 0.
    """

    def __init__(self, limit: int):
        self._limit = limit
        self._furthest = -1
        self._num_redrawn = 0
        self.num_failures = 0

    def count_failure(self, num_measured: int) -> None:
        """The run has failed once more, with so many checkpoints measured."""
        self.num_failures = self.num_failures + 1 if num_measured <= self._furthest else 1
        self._furthest = max(self._furthest, num_measured)

    @property
    def are_spent(self) -> bool:
        """Whether the run has failed more often than a round may be drawn afresh."""
        return self.num_failures > self._limit

    def redrawn(self, state: LoopState) -> LoopState:
        """The state of a checkpoint with other random numbers ahead of it.

        They depend on the checkpoint and on how often the run has gone back to it, so that a run
        that is interrupted meanwhile draws the same when it goes on.
        """
        self._num_redrawn += 1
        return state.redrawn(self._num_redrawn)

    def restart_keys(self) -> None:
        """A checkpoint is saved, to which the run has not gone back yet."""
        self._num_redrawn = 0
