"""Redrawing rounds after non-finite numbers: how often, and with which keys."""

from __future__ import annotations

from jaxgap.improve.round_records import LoopState


class Retries:
    """Counts failures in a row, starting over when the run gets further than at the last one.

    **Arguments:**

    - `limit`: how often a round may be redrawn, >= 0.
    """

    def __init__(self, limit: int):
        self._limit = limit
        self._furthest = -1
        self._num_redrawn = 0
        self.num_failures = 0

    def count_failure(self, num_measured: int) -> None:
        """Record a failure of the run after `num_measured` checkpoints."""
        self.num_failures = self.num_failures + 1 if num_measured <= self._furthest else 1
        self._furthest = max(self._furthest, num_measured)

    @property
    def are_spent(self) -> bool:
        """Whether the run has failed more often than a round may be redrawn."""
        return self.num_failures > self._limit

    def redrawn(self, state: LoopState) -> LoopState:
        """The state of a checkpoint with a new random key.

        The key depends only on the checkpoint and on how often the run has gone back to it, so a
        run that is interrupted in between draws the same numbers when it resumes.
        """
        self._num_redrawn += 1
        return state.redrawn(self._num_redrawn)

    def restart_keys(self) -> None:
        """Start over with the keys: a new checkpoint was saved."""
        self._num_redrawn = 0
