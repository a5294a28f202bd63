"""Which checkpoints are kept: the newest few, and the one with the highest accuracy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from orbax.checkpoint import v1 as ocp


def newest_and(best: BestAccuracy, num_newest: int) -> Any:
    """The preservation policy for Orbax.

    `Any`, since Orbax annotates its policies more narrowly than the parameter that accepts them.
    """
    keep = ocp.training.preservation_policies
    return keep.AnyPreservationPolicy([keep.LatestN(num_newest), best])


class BestAccuracy:
    """Keeps the checkpoint with the highest accuracy; the newest if several tie."""

    def __init__(self):
        self._accuracies: dict[int, float] = {}

    def remember(self, rows: Sequence[Mapping[str, float]]) -> None:
        """Store the accuracy of every checkpoint from these measurements."""
        self._accuracies = {int(row["t"]): row["solver_accuracy"] for row in rows}

    def should_preserve(self, checkpoints: Sequence[Any], *, context: Any) -> Sequence[bool]:
        """Orbax's callback: which of these to keep."""
        del context
        found = [self._accuracies.get(int(each.step), -1.0) for each in checkpoints]
        best = max(range(len(found)), key=lambda place: (found[place], place), default=None)
        return [place == best for place in range(len(found))]
