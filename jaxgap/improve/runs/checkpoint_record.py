"""The content of a checkpoint, and the record stored beside its arrays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax

from jaxgap.improve.round_records import LoopState, TrainingSet
from jaxgap.improve.runs.digests import digests, json_digest


class Saved(NamedTuple):
    """The content of a checkpoint.

    **Fields:**

    - `state`: the state before the round's training.
    - `training_set`: what the round trains on.
    - `rows`: the measurements of every checkpoint so far, including this one.
    """

    state: LoopState
    training_set: TrainingSet
    rows: tuple[dict[str, float], ...]


def arrays_of(state: LoopState, training_set: Sequence[Any]) -> dict[str, Any]:
    """State and training set as one tree of arrays for Orbax.

    The round index is the checkpoint's step; the training summary is among the measurements.
    """
    fields = {"params": state.params, "opt_state": state.opt_state, "key": state.key}
    if state.opt_state is None:
        del fields["opt_state"]
    return {"state": fields, "training_set": list(training_set)}


class CheckpointRecord(NamedTuple):
    """The JSON stored beside the arrays, with a checksum of its own."""

    rows: tuple[dict[str, float], ...]
    digests: dict[str, int]
    training_set: Sequence[jax.ShapeDtypeStruct]
    origin: dict[str, int]

    @classmethod
    def of(cls, saved: Saved, origin: dict[str, int]) -> CheckpointRecord:
        arrays = arrays_of(saved.state, saved.training_set)
        shapes = [jax.ShapeDtypeStruct(a.shape, a.dtype) for a in saved.training_set]
        return cls(saved.rows, digests(arrays), shapes, origin)

    def without(self, part: str) -> CheckpointRecord:
        """The record without the digests of the leaves whose names begin with `part`."""
        kept = {name: value for name, value in self.digests.items() if not name.startswith(part)}
        return self._replace(digests=kept)

    def to_json(self) -> dict[str, Any]:
        shapes = [[list(s.shape), str(s.dtype)] for s in self.training_set]
        form = {
            "rows": list(self.rows),
            "digests": self.digests,
            "training_set": shapes,
            "origin": self.origin,
        }
        return form | {"seal": json_digest(form)}

    @classmethod
    def from_json(cls, form: Any) -> CheckpointRecord:
        if not form:
            raise ValueError("it has no record")
        form = dict(form)
        if form.pop("seal") != json_digest(form):
            raise ValueError("its record is not what was written")
        shapes = [jax.ShapeDtypeStruct(shape, dtype) for shape, dtype in form["training_set"]]
        return cls(tuple(form["rows"]), form["digests"], shapes, form["origin"])
