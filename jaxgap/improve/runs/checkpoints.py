"""Checkpoints of a run: all that the rest of it depends on, saved while it goes on.

One checkpoint a round, taken after measuring and before training: the state, the completions that
the round will train on, and every measurement so far. Orbax writes them in the background, each
under a temporary name until it is whole. Beside the arrays lie their digests, without which a
flipped bit would go unseen; a checkpoint that does not agree with its own is passed over, and moved
aside once the run goes on from one before it.
"""

from __future__ import annotations

import contextlib
import gc
import shutil
from collections.abc import Callable, Mapping, Sequence, Set
from pathlib import Path
from typing import Any

from orbax.checkpoint import v1 as ocp

from jaxgap.errors import InputError, RunError, write_failure
from jaxgap.improve.measures.metrics import TrainingSummary
from jaxgap.improve.records import LoopState, TrainingSet
from jaxgap.improve.runs.checkpoint_damage import is_trouble
from jaxgap.improve.runs.checkpoint_record import CheckpointRecord, Saved, arrays_of
from jaxgap.improve.runs.checkpoint_retention import BestAccuracy, newest_and
from jaxgap.improve.runs.digests import digests, leaf_names
from jaxgap.improve.runs.orbax_noise import quiet_orbax
from jaxgap.sharding import all_agree, barrier, is_first, to_host

_DAMAGED, _REDRAWN = "damaged", "redrawn"
_OPTIMIZER = "['state']['opt_state']"


class CheckpointStore:
    """The checkpoints of one run: the newest few, and the one of the highest accuracy.

    **Arguments:**

    - `folder`: where they lie; made if it is not there.
    - `num_kept`: how many of the newest are kept, >= 1.
    - `origin`: what else the state goes with (:func:`jaxgap.improve.runs.origin.origin_of`), kept
        beside it and compared where it is read.

    Saving raises :class:`RunError` in one line where the disk is full or cannot be written; the
    failure of a save in the background is raised by the next call.

    **Raises:** `InputError` if `folder` is a file, or a link: what it leads to may not be a run's.
    """

    def __init__(self, folder: Path, num_kept: int, origin: Mapping[str, int]):
        if folder.is_symlink():
            raise InputError(f"{folder} is a link, and is not followed: put the folder there")
        if folder.exists() and not folder.is_dir():
            raise InputError(
                f"{folder} is a file: remove it, or put the folder of checkpoints there"
            )
        self._folder = folder.resolve()
        self._give_back()
        self._origin = dict(origin)
        self._best = BestAccuracy()
        self._pending: Any = None
        self._failed = False
        self._quiet = contextlib.ExitStack()
        self._quiet.enter_context(quiet_orbax())
        self._orbax = ocp.training.Checkpointer(
            str(self._folder),
            preservation_policy=newest_and(self._best, num_kept),
            cleanup_tmp_directories=True,
            context=_context(),
        )

    def save(self, saved: Saved) -> None:
        """Begin to write a checkpoint, once the one before it is whole."""
        self.wait()
        self._best.remember(saved.rows)
        record = CheckpointRecord.of(saved, self._origin)
        self._lay_aside(int(saved.state.round_index))
        self._pending = self._guarded(
            lambda: self._orbax.save_checkpointables_async(
                int(saved.state.round_index),
                {"arrays": arrays_of(saved.state, saved.training_set)},
                custom_metadata=record.to_json(),
            )
        )
        if self._pending is None:
            raise RunError(
                f"{self._folder}: Orbax did not take checkpoint {saved.state.round_index}"
            )

    def wait(self) -> None:
        """Wait until every checkpoint is whole on disk."""
        if self._pending is not None:
            try:
                self._guarded(self._pending.result)
            except RunError:
                self._pending = None
                raise
            self._pending = None  # only now: Ctrl-C may end this wait, and `close` waits again
            if is_first():
                shutil.rmtree(self._aside, ignore_errors=True)

    def newest(
        self,
        abstract_state: LoopState,
        on_damage: Callable[[str], None],
        steps: Sequence[int] | None = None,
    ) -> Saved | None:
        """The newest checkpoint that is intact, or None where there is none.

        **Arguments:**

        - `abstract_state`: a state of `jax.ShapeDtypeStruct`, each with its sharding, which may be
            another than when it was saved. Where its `opt_state` is None, that is left unread.
        - `on_damage`: called with one line for every newer checkpoint that is passed over.
        - `steps`: the rounds to look at; by default all.

        **Raises:** `RunError` if one cannot be read for want of memory or of a permission, or for
        trouble of the system, which leaves it as it is; `InputError` if it goes with another model
        or other problems, or its state is in parts of other names.
        """
        barrier()  # so that every process sees the same checkpoints
        for step in sorted(self.steps() if steps is None else steps, reverse=True):
            saved, reason = None, "for another process"
            try:
                saved = self._load(step, abstract_state)
            except InputError:
                raise
            except Exception as error:  # a damaged file may raise anything, but not be believed
                reason = " ".join(str(error).split())[:200] or type(error).__name__
                if is_trouble(error):
                    raise RunError(
                        f"{self._folder / str(step)}: cannot be read ({reason}); it stays as it is"
                    ) from error
            if all_agree(saved is not None):
                assert saved is not None
                self._best.remember(saved.rows)
                return saved
            on_damage(f"checkpoint {step} is damaged ({reason}): passed over")
        return None

    def set_aside_after(self, step: int) -> None:
        """Move the checkpoints after `step` to the folder `damaged` beside this one.

        Orbax takes no checkpoint below the newest that it knows.
        """
        later = [each for each in self.steps() if each > step]
        barrier()  # so that every process has looked
        if later and is_first():
            self._guarded(lambda: self._set_aside(later))
        barrier()
        if later:
            self._orbax.reload()

    def _set_aside(self, steps: Sequence[int]) -> None:
        for step in steps:
            _move(self._folder / str(step), self._folder.parent / _DAMAGED)

    @property
    def _aside(self) -> Path:
        """Where a checkpoint lies while that of the same round drawn afresh is being written."""
        return self._folder.parent / _REDRAWN

    def _lay_aside(self, step: int) -> None:
        """Make room for a checkpoint; Orbax would delete the old one before it writes the new."""
        is_there = step in self.steps()
        barrier()  # so that every process has looked
        if is_there and is_first():
            self._guarded(lambda: _move(self._folder / str(step), self._aside))
        barrier()
        if is_there:
            self._orbax.reload()

    def _give_back(self) -> None:
        """Put back what was laid aside, unless what was to replace it has become whole."""
        if is_first() and self._aside.is_dir():
            for path in list(self._aside.iterdir()):
                if not (self._folder / path.name).exists():
                    self._folder.mkdir(exist_ok=True)
                    path.rename(self._folder / path.name)
            shutil.rmtree(self._aside, ignore_errors=True)
        barrier()

    def steps(self) -> list[int]:
        """The rounds of which there is a checkpoint, whole or not."""
        return [int(path.name) for path in self._folder.iterdir() if path.name.isdecimal()]

    def close(self) -> None:
        """Finish writing."""
        try:
            self.wait()
        finally:
            # Of a save that failed, `wait` has told already.
            with contextlib.suppress(OSError, ValueError, RuntimeError):
                self._orbax.close()
            if not self._failed:  # else what was under way may end as late as the process does
                gc.collect()  # what damage has left behind, as long as it is not heard
                self._quiet.close()

    def _load(self, step: int, abstract_state: LoopState) -> Saved:
        metadata = self._orbax.checkpointables_metadata(step)
        record = CheckpointRecord.from_json(metadata.custom_metadata)
        everywhere = abstract_state.key.sharding
        training_set = [shape.update(sharding=everywhere) for shape in record.training_set]
        abstract = arrays_of(abstract_state, training_set)
        unread = _OPTIMIZER if abstract_state.opt_state is None else ()
        written = {n: value for n, value in record.digests.items() if not n.startswith(unread)}
        # The record is whole, so this is no damage: read as it is, it would be called that.
        self._refuse_other_origin(record)
        self._refuse_other_parts(step, record, written.keys(), leaf_names(abstract))
        arrays = self._orbax.load_checkpointables(step, {"arrays": abstract})["arrays"]
        found = digests(arrays)
        wrong = sorted(name for name, value in written.items() if found.get(name) != value)
        if wrong:
            raise ValueError(f"{wrong[0]} is not what was written")
        fields = {"opt_state": None} | arrays["state"]
        training = TrainingSummary.from_row(record.rows[-1])
        state = LoopState(**fields, round_index=step, training=training)
        return Saved(state, TrainingSet(*to_host(arrays["training_set"])), record.rows)

    def _refuse_other_origin(self, record: CheckpointRecord) -> None:
        """Refuse a checkpoint of other problems, or of another model."""
        for name, now in self._origin.items():
            if record.origin.get(name, now) != now:
                raise InputError(
                    f"{self._folder.parent}: {name} are not those that the run was made with: "
                    "restore those, or start a new run"
                )

    def _refuse_other_parts(
        self, step: int, record: CheckpointRecord, written: Set[str], wanted: Sequence[str]
    ) -> None:
        """Refuse a checkpoint whose state is in parts of other names than this version's."""
        others = sorted(written ^ set(wanted)) + TrainingSummary.missing_in(record.rows[-1])
        if others:
            raise InputError(
                f"{self._folder / str(step)}: was made with other versions of optax or jaxgap, "
                f"whose state has {'' if others[0] in written else 'no '}{others[0]}: use those in "
                "the run's versions.json"
            )

    def _guarded(self, action: Callable[[], Any]) -> Any:
        """Whatever `action` returns; its failure to write in one line."""
        try:
            return action()
        except (OSError, ValueError, RuntimeError) as error:
            self._failed = True
            what = f"{self._folder}: the checkpoint could not be written"
            raise write_failure(error, what, "; those before it are intact") from error


def _move(path: Path, folder: Path) -> None:
    """Into a folder that is made if it is not there, in place of what has the name there."""
    folder.mkdir(exist_ok=True)
    shutil.rmtree(folder / path.name, ignore_errors=True)
    path.rename(folder / path.name)


def _context() -> ocp.Context:
    """How Orbax writes and reads."""
    context = ocp.Context()
    # Floats shrink by 8 %, for four times the processor's time.
    context.array_options.saving.use_compression = False
    # What is not asked for stays on the disk; of what was missed unasked, the digests tell.
    context.pytree_options.loading.partial_load = True
    return context
