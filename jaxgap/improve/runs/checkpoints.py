"""Checkpoints of a run: everything its continuation depends on, saved in the background.

One checkpoint per round, taken after measuring and before training: the state, the completions that
the round will train on, and every measurement so far. Orbax writes them in the background, each
under a temporary name until it is complete. Digests are stored beside the arrays, since a flipped
bit would otherwise go undetected; a checkpoint that does not match its digests is skipped, and
moved aside once the run resumes from an earlier one.
"""

from __future__ import annotations

import contextlib
import gc
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from orbax.checkpoint import v1 as ocp

from jaxgap.errors import InputError, RunError, write_failure
from jaxgap.improve.round_records import LoopState
from jaxgap.improve.runs.checkpoint_reader import CheckpointReader
from jaxgap.improve.runs.checkpoint_record import CheckpointRecord, Saved, arrays_of
from jaxgap.improve.runs.checkpoint_retention import BestAccuracy, newest_and
from jaxgap.improve.runs.orbax_context import orbax_context
from jaxgap.improve.runs.orbax_noise import quiet_orbax, stay_quiet
from jaxgap.sharding import barrier, is_first, run_on_first

_DAMAGED, _REDRAWN = "damaged", "redrawn"


class CheckpointStore:
    """The checkpoints of one run: the newest few, and the one with the highest accuracy.

    **Arguments:**

    - `folder`: the folder of the checkpoints; created if missing.
    - `num_kept`: how many of the newest are kept, >= 1.
    - `origin`: digests of what the state belongs to
        (:func:`jaxgap.improve.runs.origin.origin_of`), stored with it and compared on loading.

    Saving raises :class:`RunError` in one line if the disk is full or not writable; the failure of
    a background save is raised by the next call.

    **Raises:** `InputError` if `folder` is a file, or a link, whose target may not belong to a run.
    """

    def __init__(self, folder: Path, num_kept: int, origin: Mapping[str, int]):
        if folder.is_symlink():
            raise InputError(f"{folder} is a link, and is not followed: put the folder there")
        if folder.exists() and not folder.is_dir():
            raise InputError(
                f"{folder} is a file: remove it, or put the folder of checkpoints there"
            )
        self._folder = folder.resolve()
        run_on_first(lambda: self._folder.mkdir(parents=True, exist_ok=True))
        run_on_first(self._give_back)
        self._origin = dict(origin)
        self._reader = CheckpointReader(self._folder, self._origin)
        self._best = BestAccuracy()
        self._pending: Any = None
        self._failed = False
        self._quiet = contextlib.ExitStack()
        self._quiet.enter_context(quiet_orbax())
        self._num_kept = num_kept
        self._orbax: Any = None

    def save(self, saved: Saved) -> None:
        """Start writing a checkpoint, once the previous one is complete."""
        self.wait()
        self._best.remember(saved.rows)
        record = CheckpointRecord.of(saved, self._origin)
        self._lay_aside(saved.state.round_index)
        self._guarded(self._open)
        self._pending = self._guarded(
            lambda: self._orbax.save_checkpointables_async(
                saved.state.round_index,
                {"arrays": arrays_of(saved.state, saved.training_set)},
                custom_metadata=record.to_json(),
            )
        )
        if self._pending is None:
            raise RunError(
                f"{self._folder}: Orbax did not take checkpoint {saved.state.round_index}"
            )

    def _open(self) -> None:
        """Make Orbax's checkpointer; not before damaged checkpoints are gone, which it refuses."""
        if self._orbax is None:
            self._orbax = ocp.training.Checkpointer(
                str(self._folder),
                preservation_policy=newest_and(self._best, self._num_kept),
                cleanup_tmp_directories=True,
                context=orbax_context(),
            )

    def _reload(self) -> None:
        if self._orbax is not None:
            self._orbax.reload()

    def wait(self) -> None:
        """Wait until every checkpoint is complete on disk."""
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
        """The newest intact checkpoint, or None if there is none.

        **Arguments:**

        - `abstract_state`: a state of `jax.ShapeDtypeStruct`s with their shardings, which may
            differ from those at saving. If its `opt_state` is None, that part is not read.
        - `on_damage`: called with one line for every newer checkpoint that is skipped.
        - `steps`: the rounds to consider; all by default.

        **Raises:** `RunError` if one cannot be read because of memory, permissions or another
        system error, in which case it is left untouched; `InputError` if it belongs to another
        model, verifier or grader or other problems, or its state has leaves of other names.
        """
        barrier()  # so that every process sees the same checkpoints
        for step in sorted(self.steps() if steps is None else steps, reverse=True):
            found = self._reader.read(step, abstract_state)
            if isinstance(found, Saved):
                self._best.remember(found.rows)
                return found
            on_damage(f"checkpoint {step} is damaged ({found}): passed over")
        return None

    def set_aside_after(self, step: int) -> None:
        """Move the checkpoints after `step` to the folder `damaged` beside this one.

        Orbax refuses to save a step below the newest one that it knows. Earlier ones whose metadata
        it cannot read are moved as well.
        """
        moved = [each for each in self.steps() if each > step or self._reader.is_unreadable(each)]
        barrier()  # so that every process has looked
        run_on_first(lambda: [self._move_aside(each, _DAMAGED) for each in moved])
        if moved:
            self._reload()

    @property
    def _aside(self) -> Path:
        """Holds the old checkpoint of a redrawn round while the new one is being written."""
        return self._folder.parent / _REDRAWN

    def _move_aside(self, step: int, name: str) -> None:
        """Move a checkpoint to a folder beside this one, replacing one of the same round."""
        path, folder = self._folder / str(step), self._folder.parent / name
        try:
            folder.mkdir(exist_ok=True)
            shutil.rmtree(folder / path.name, ignore_errors=True)
            path.rename(folder / path.name)
        except OSError as error:
            raise write_failure(error, f"{path} cannot be moved to {folder}") from error

    def _lay_aside(self, step: int) -> None:
        """Make room for a checkpoint; Orbax would delete the old one before writing the new one."""
        is_there = step in self.steps()
        barrier()  # so that every process has looked
        if is_there:
            run_on_first(lambda: self._move_aside(step, _REDRAWN))
            self._reload()

    def _give_back(self) -> None:
        """Restore what was moved aside, unless its replacement was completed."""
        if self._aside.is_dir():
            for path in list(self._aside.iterdir()):
                if not (self._folder / path.name).exists():
                    path.rename(self._folder / path.name)
            shutil.rmtree(self._aside, ignore_errors=True)

    def steps(self) -> list[int]:
        """The rounds that have a checkpoint, intact or not."""
        names = (path.name for path in self._folder.iterdir())
        # `02` and `٢`, which `int` also reads, are not names under which a round is saved.
        return [int(name) for name in names if name.isdecimal() and name == str(int(name))]

    def close(self) -> None:
        """Finish writing."""
        try:
            self.wait()
        finally:
            # `wait` has already raised the error of a failed save.
            with contextlib.suppress(OSError, ValueError, RuntimeError):
                if self._orbax is not None:
                    self._orbax.close()
            if self._failed:
                stay_quiet(self._quiet)  # pending writes may live as long as the process
            else:
                gc.collect()  # collect the remains of failed loads while Orbax is still silenced
                self._quiet.close()

    def _guarded(self, action: Callable[[], Any]) -> Any:
        """Return `action()`, turning a failure to write into a one-line error."""
        try:
            return action()
        except (OSError, ValueError, RuntimeError) as error:
            self._failed = True
            what = f"{self._folder}: the checkpoint could not be written"
            raise write_failure(error, what, "; those before it are intact") from error
