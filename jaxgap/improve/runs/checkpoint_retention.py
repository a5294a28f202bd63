"""Which checkpoints are kept: the newest few, and the one of the highest accuracy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from orbax.checkpoint import v1 as ocp


def newest_and(best: BestAccuracy, num_newest: int) -> Any:
    """The policy, as Orbax takes it.

    Orbax annotates its own policies more narrowly than the argument that takes them.
    """
    keep = ocp.training.preservation_policies
    return keep.AnyPreservationPolicy([keep.LatestN(num_newest), best])


class BestAccuracy:
    """Keeps the checkpoint of the highest accuracy, the newest of equals."""

    def __init__(self):
        self._accuracies: dict[int, float] = {}

    def remember(self, rows: Sequence[Mapping[str, float]]) -> None:
        """Take the accuracies of every checkpoint from these measurements."""
        self._accuracies = {int(row["t"]): row["solver_accuracy"] for row in rows}

    def should_preserve(self, checkpoints: Sequence[Any], *, context: Any) -> Sequence[bool]:
        """Orbax's question: which of these are kept?"""
        del context
        found = [self._accuracies.get(int(each.step), -1.0) for each in checkpoints]
        best = max(range(len(found)), key=lambda place: (found[place], place), default=None)
        return [place == best for place in range(len(found))]
