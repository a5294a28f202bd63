"""A kept run: it writes a RUN folder as it goes, and can resume after an interruption.

Each round is saved in two steps: its measurements, then a checkpoint from which everything after it
can be recomputed. Whenever and however a run stops, it resumes from the newest intact checkpoint
and measures the same as if it had not been interrupted.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import jax

from jaxgap.errors import InputError, RunError
from jaxgap.improve.allocation import prolonged
from jaxgap.improve.assembly import assemble
from jaxgap.improve.config import ImproveConfig
from jaxgap.improve.faults import NotFinite
from jaxgap.improve.loop import self_improve
from jaxgap.improve.measures.metrics import RoundMetrics
from jaxgap.improve.round_records import LoopState, TrainingSet
from jaxgap.improve.runs.checkpoint_record import Saved
from jaxgap.improve.runs.checkpoints import CheckpointStore
from jaxgap.improve.runs.device_memory import out_of_memory_in_one_line
from jaxgap.improve.runs.new_run_folder import empty_folder, require_free
from jaxgap.improve.runs.notes_file import ENDED_EARLY
from jaxgap.improve.runs.part_names import own_parts_of
from jaxgap.improve.runs.retries import Retries
from jaxgap.improve.runs.run_folder import RunFolder
from jaxgap.improve.runs.run_lock import locked
from jaxgap.improve.runs.run_notes import RunNotes
from jaxgap.improve.runs.run_parts import Assemble, RunParts, make_parts
from jaxgap.improve.runs.stored_paths import with_absolute_paths
from jaxgap.improve.watcher import NOBODY, EndRun, Stage, Watcher
from jaxgap.run_files import CONFIG_FILE
from jaxgap.sharding import all_agree, each_on_mesh, on_mesh, run_in_all, run_on_first


@out_of_memory_in_one_line()
def improve_to_folder(
    config: ImproveConfig,
    folder: str | Path,
    watcher: Watcher = NOBODY,
    *,
    assemble: Assemble = assemble,
) -> tuple[RoundMetrics, ...]:
    """Improve a model and keep the run in a new RUN folder.

    **Arguments:**

    - `config`: the run.
    - `folder`: the RUN folder; created if missing.
    - `watcher`: callbacks for the run's events.
    - `assemble`: builds the parts of the run; replace it to use a custom task or verifier, and pass
        the same function to :func:`resume_folder`.

    **Returns:** the measurements of every checkpoint.

    **Raises:** `InputError` if `folder` is not empty, is a file, or is in use, or if a part of the
    run cannot be built or differs between processes (nothing is written then); `RunError` if the
    disk is full (`DiskFullError`), the device runs out of memory, or a round's numbers stay
    non-finite after all retries. An interrupted run can be continued with :func:`resume_folder`.
    """
    run_on_first(lambda: require_free(folder))
    config = with_absolute_paths(config.resolved())
    parts = make_parts(config, assemble)
    folder = Path(folder)
    run_on_first(lambda: empty_folder(folder))
    with _held(folder):
        run = RunFolder.create(folder, config, own_parts_of(parts.loop))
        return _KeptRun(run, config, parts, watcher).go()


@out_of_memory_in_one_line()
def resume_folder(
    folder: str | Path,
    watcher: Watcher = NOBODY,
    *,
    more_rounds: int = 0,
    mesh: str | None = None,
    assemble: Assemble = assemble,
) -> tuple[RoundMetrics, ...]:
    """Resume an interrupted run as if nothing had happened.

    On a CPU, with the same number of threads, measurements and weights are bit-for-bit those of an
    uninterrupted run. GPU scatters are non-deterministic unless XLA is configured otherwise.

    **Arguments:**

    - `folder`: the RUN folder.
    - `watcher`: callbacks for the run's events from here on.
    - `more_rounds`: rounds to add to those originally requested, >= 0.
    - `mesh`: the mesh from here on; unchanged if None. On other devices the run resumes from the
        same weights and random numbers, with different rounding.
    - `assemble`: as for :func:`improve_to_folder`.

    **Returns:** the measurements of every checkpoint, including those before the interruption.

    **Raises:** `InputError` if `folder` is not the folder of a run, or is in use, or if the run was
    made with other problems, another model, or another verifier or grader; `RunError` as in
    :func:`improve_to_folder`.
    """
    folder = Path(folder)
    if more_rounds < 0:
        raise InputError(f"more_rounds must be 0 or more, got {more_rounds}")
    run_in_all(lambda: _require_run(folder))
    with _held(folder):
        run = run_in_all(lambda: RunFolder.reopen(folder))
        config = with_absolute_paths(prolonged(run.config, more_rounds))
        config = config if mesh is None else dataclasses.replace(config, mesh=mesh)
        parts = make_parts(config, assemble)
        run_in_all(lambda: run.take_parts(own_parts_of(parts.loop)))
        return _KeptRun(run, config, parts, watcher).go()


def _require_run(folder: Path) -> None:
    """Reject a folder without a run, before a lock is made in it."""
    if not (folder / CONFIG_FILE).is_file():
        raise InputError(f"{folder} contains no run to resume: it has no {CONFIG_FILE}")


@contextlib.contextmanager
def _held(folder: Path) -> Iterator[None]:
    """Lock the folder in the first process, on behalf of all."""
    with contextlib.ExitStack() as stack:
        run_on_first(lambda: stack.enter_context(locked(folder)))
        yield


class _KeptRun:
    """A run with its folder and checkpoints, from its current state to its end."""

    def __init__(self, run: RunFolder, config: ImproveConfig, parts: RunParts, watcher: Watcher):
        self._run, self._config, self._parts, self._watcher = run, config, parts, watcher
        self._notes = RunNotes(run, watcher)
        self._retries = Retries(config.num_retries)

    def go(self) -> tuple[RoundMetrics, ...]:
        num_kept = self._config.num_checkpoints_kept
        store = CheckpointStore(self._run.checkpoints, num_kept, self._parts.origin)
        with contextlib.closing(store):
            try:
                self._go_on(store)
            except EndRun as end:
                self._notes.add(f"{ENDED_EARLY}{end}")
            return self._run.metrics

    def _go_on(self, store: CheckpointStore) -> None:
        """Run the rounds, redrawing those whose numbers are not finite."""
        state, training_set = self._start(store)
        self._tell(self._watcher.on_start, self._config, len(self._run.rows))
        if len(self._run.rows) <= self._config.num_rounds:
            self._notes.add_changed_versions()
            self._run.write_versions()
        while (fault := self._first_fault(store, state, training_set)) is not None:
            del state, training_set  # so that memory need not hold them and their checkpoint
            self._retries.count_failure(len(self._run.rows))
            state, training_set = self._roll_back(store, fault)

    def _start(self, store: CheckpointStore) -> tuple[LoopState, TrainingSet | None]:
        """The state of the newest checkpoint, or the initial one."""
        newest = max(store.steps(), default=-1)
        if store.steps():
            self._parts.initial.drop()
        saved = self._newest(store)
        for line in self._run.left_out:
            self._notes.add(line)
        self._notes.add_missing_checkpoint(newest)
        self._rewind(() if saved is None else saved.rows)
        if saved is None:
            with on_mesh(self._config.mesh):
                return self._parts.loop.init_state(self._parts.initial.take()), None
        return saved.state, saved.training_set

    def _first_fault(
        self, store: CheckpointStore, state: LoopState, training_set: TrainingSet | None
    ) -> NotFinite | None:
        """Run the rounds to the end, or to the first non-finite numbers, which are returned."""
        try:
            self._rounds(store, state, training_set)
        except NotFinite as fault:
            return fault.with_traceback(None)  # its frames hold the arrays of the round
        return None

    def _rounds(
        self, store: CheckpointStore, state: LoopState, training_set: TrainingSet | None
    ) -> None:
        run, watcher, mesh = self._run, self._watcher, self._config.mesh

        def enter(round_index: int, stage: Stage) -> None:
            run.enter(stage)
            watcher.on_stage(round_index, stage)

        timed = watcher._replace(on_stage=enter)
        checkpoints = self_improve(self._parts.loop, state, timed, training_set)
        for checkpoint in each_on_mesh(mesh, checkpoints):
            run.add(checkpoint.metrics)
            with on_mesh(mesh):
                store.save(Saved(checkpoint.state, checkpoint.training_set, run.rows))
            self._retries.restart_keys()
            self._notes.add_signs_of_collapse(run.metrics)
            self._tell(watcher.on_round, checkpoint.metrics)
            del checkpoint  # the next round donates its buffers
            if jax.default_backend() == "cpu":
                # There a pending write references the arrays, so they could not be donated.
                store.wait()

    def _roll_back(
        self, store: CheckpointStore, fault: NotFinite
    ) -> tuple[LoopState, TrainingSet | None]:
        """The state before the failed round, with a new random key.

        Its training set is sampled again, unless it was fixed in the first round.

        **Raises:** `RunError` if the round has failed too often, or there is no checkpoint.
        """
        store.wait()
        saved = self._newest(store)
        if saved is None or self._retries.are_spent:
            self._notes.add(f"{fault}: stopped")
            advice = (
                ", before any training: check the model's weights and the verifier, or take "
                "another `dtype`"
                if saved is None
                else f", {self._retries.num_failures} times in a row: a lower learning rate may "
                "help, or for scores another verifier; the checkpoints before it are intact"
            )
            raise RunError(f"{self._run.folder}: {fault}{advice}") from fault
        self._notes.add(f"{fault}: round {saved.state.round_index} is redrawn")
        state = self._retries.redrawn(saved.state)
        if self._config.candidates == "fixed":
            self._rewind(saved.rows)
            return state, saved.training_set
        self._rewind(saved.rows[:-1])
        return state, None

    def _newest(self, store: CheckpointStore) -> Saved | None:
        """The newest intact checkpoint; those after it are moved aside."""
        damaged: list[str] = []  # noted only once it is clear that the run continues
        with on_mesh(self._config.mesh):
            saved = store.newest(self._parts.abstract_state, damaged.append)
        for line in damaged:
            self._notes.add(line)
        store.set_aside_after(-1 if saved is None else saved.state.round_index)
        return saved

    def _rewind(self, rows: Sequence[dict[str, float]]) -> None:
        """Continue after these measurements, noting any sign of collapse not yet noted."""
        self._run.rewind(rows, self._config)
        history = self._run.metrics
        for end in range(1, len(history) + 1):
            self._notes.add_signs_of_collapse(history[:end])

    def _tell(self, who: Callable[..., None], *what: Any) -> None:
        """Call the watcher; if it ends the run in one process, the run ends in all."""
        end = None
        try:
            who(*what)
        except EndRun as wish:
            end = wish
        if not all_agree(end is None):
            raise end or EndRun("by the first process")
