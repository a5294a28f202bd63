"""Reading a checkpoint of a run, and telling whether it is what was written."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence, Set
from pathlib import Path
from typing import Any

import jax
from orbax.checkpoint import path as orbax_path
from orbax.checkpoint import v1 as ocp

from jaxgap.errors import InputError, RunError
from jaxgap.improve.measures.metrics import TrainingSummary
from jaxgap.improve.round_records import LoopState, TrainingSet
from jaxgap.improve.runs.checkpoint_damage import is_trouble
from jaxgap.improve.runs.checkpoint_record import CheckpointRecord, Saved, arrays_of
from jaxgap.improve.runs.digests import digests, leaf_names
from jaxgap.improve.runs.orbax_context import orbax_context
from jaxgap.improve.runs.own_parts import PARTS, other_part
from jaxgap.run_files import VERSIONS_FILE
from jaxgap.sharding import first_said, run_in_all, to_host

_STEP_NAMES = orbax_path.step.standard_name_format()
_OPTIMIZER = "['state']['opt_state']"


@dataclasses.dataclass(frozen=True)
class CheckpointReader:
    """Reads the checkpoints of one run, each by itself.

    **Fields:**

    - `folder`: the folder of the checkpoints.
    - `origin`: digests of what the state belongs to, which a checkpoint must match.
    """

    folder: Path
    origin: Mapping[str, int]

    def read(self, step: int, abstract_state: LoopState) -> Saved | str:
        """A checkpoint, or why it is damaged; all processes read together and return the same.

        **Arguments:**

        - `step`: its round.
        - `abstract_state`: the shapes and shardings of the state.

        **Raises:** as :meth:`jaxgap.improve.runs.checkpoints.CheckpointStore.newest`.
        """
        read = run_in_all(lambda: self._read(step, abstract_state))
        reason = first_said(read if isinstance(read, str) else "")
        if reason or isinstance(read, str):
            return reason
        record, arrays = read
        return _difference(record, arrays) or _saved(record, arrays)

    def is_unreadable(self, step: int) -> bool:
        """Whether Orbax cannot read a checkpoint's metadata, because of damage to the file."""
        try:
            self._read_metadata(step)
        except Exception as error:  # a damaged file may raise anything
            return not is_trouble(error)
        return False

    def _read_metadata(self, step: int) -> None:
        """Read what Orbax's checkpointer reads of every checkpoint when it is made."""
        _ = _STEP_NAMES.find_step(str(self.folder), step).commit_timestamp

    def _read(
        self, step: int, abstract_state: LoopState
    ) -> tuple[CheckpointRecord, dict[str, Any]] | str:
        """This process's shards of a checkpoint, or why it is damaged.

        Nothing here waits for the other processes: a file that only one of them reads may be
        damaged.
        """
        try:
            return self._shards(step, abstract_state)
        except InputError:
            raise
        except Exception as error:  # a damaged file may raise anything
            reason = " ".join(str(error).split())[:200] or type(error).__name__
            if is_trouble(error):
                raise RunError(
                    f"{self.folder / str(step)}: cannot be read ({reason}); it stays as it is"
                ) from error
            return reason

    def _shards(
        self, step: int, abstract_state: LoopState
    ) -> tuple[CheckpointRecord, dict[str, Any]]:
        self._read_metadata(step)
        path = str(self.folder / str(step))
        with orbax_context(jax.process_index()):
            metadata = ocp.checkpointables_metadata(path)
        record = CheckpointRecord.from_json(metadata.custom_metadata)
        # The digests cannot tell: a folder copied or renamed is intact, and of another round.
        if record.rows[-1]["t"] != step:
            raise ValueError(f"it was written in round {record.rows[-1]['t']:g}")
        everywhere = abstract_state.key.sharding
        training_set = [shape.update(sharding=everywhere) for shape in record.training_set]
        abstract = arrays_of(abstract_state, training_set)
        if abstract_state.opt_state is None:
            record = record.without(_OPTIMIZER)
        # The record is intact, so a mismatch is not damage; loading would misreport it as such.
        self._refuse_other_origin(record)
        self._refuse_other_parts(step, record, record.digests.keys(), leaf_names(abstract))
        with orbax_context(jax.process_index()):
            return record, ocp.load_checkpointables(path, {"arrays": abstract})["arrays"]

    def _refuse_other_origin(self, record: CheckpointRecord) -> None:
        """Reject a checkpoint of other problems, another verifier, or another model."""
        for name, now in self.origin.items():
            if record.origin.get(name, now) != now:
                if name in PARTS.values():
                    raise other_part(self.folder.parent, name)
                raise InputError(
                    f"{self.folder.parent}: {name} are not those that the run was made with: "
                    "restore those, or start a new run"
                )

    def _refuse_other_parts(
        self, step: int, record: CheckpointRecord, written: Set[str], wanted: Sequence[str]
    ) -> None:
        """Reject a checkpoint whose leaves have other names than this version's state."""
        others = sorted(written ^ set(wanted)) + TrainingSummary.missing_in(record.rows[-1])
        if others:
            raise InputError(
                f"{self.folder / str(step)}: was made with other versions of optax or jaxgap, "
                f"whose state has {'' if others[0] in written else 'no '}{others[0]}: use those in "
                f"the run's {VERSIONS_FILE}"
            )


def _difference(record: CheckpointRecord, arrays: dict[str, Any]) -> str:
    """Which array is not what was written; empty if none. Computed by all processes together."""
    found = digests(arrays)
    wrong = sorted(name for name, value in record.digests.items() if found.get(name) != value)
    return f"{wrong[0]} is not what was written" if wrong else ""


def _saved(record: CheckpointRecord, arrays: dict[str, Any]) -> Saved:
    """The content of an intact checkpoint."""
    row = record.rows[-1]
    fields = {"opt_state": None} | arrays["state"]
    state = LoopState(**fields, round_index=int(row["t"]), training=TrainingSummary.from_row(row))
    return Saved(state, TrainingSet(*to_host(arrays["training_set"])), record.rows)
