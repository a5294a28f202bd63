"""A run that is kept: it writes a RUN folder as it goes, and goes on where it was interrupted.

Each round is kept in two steps: its measurements, then a checkpoint from which all that follows can
be computed again. Whatever stops the run, and whenever, the newest intact checkpoint is where it
goes on, and what it then measures is what it would have measured.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import jax

from jaxgap.errors import InputError, RunError
from jaxgap.improve.assembly import assemble
from jaxgap.improve.config import ImproveConfig
from jaxgap.improve.external import prolonged
from jaxgap.improve.faults import NotFinite
from jaxgap.improve.loop import self_improve
from jaxgap.improve.measures.metrics import RoundMetrics
from jaxgap.improve.records import LoopState, TrainingSet
from jaxgap.improve.runs.checkpoint_record import Saved
from jaxgap.improve.runs.checkpoints import CheckpointStore
from jaxgap.improve.runs.device_memory import out_of_memory_in_one_line
from jaxgap.improve.runs.retries import Retries
from jaxgap.improve.runs.run_files import CONFIG_FILE
from jaxgap.improve.runs.run_folder import RunFolder, empty_folder, require_free
from jaxgap.improve.runs.run_lock import locked
from jaxgap.improve.runs.run_notes import RunNotes
from jaxgap.improve.runs.run_parts import Assemble, RunParts, make_parts
from jaxgap.improve.watcher import NOBODY, EndRun, Stage, Watcher
from jaxgap.sharding import all_agree, barrier, each_on_mesh, on_mesh, run_on_first


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
    - `folder`: where it is kept; made if it is not there.
    - `watcher`: who is told.
    - `assemble`: makes the parts of the run; give your own for a task or a verifier of your own,
        and the same to :func:`resume_folder`.

    **Returns:** the measurements of every checkpoint.

    **Raises:** `InputError` if `folder` is not empty, is a file, or is in use, or if a part of the
    run cannot be made or is another in one of its processes (nothing is written then); `RunError`
    if the disk is full (`DiskFullError`), the device's memory too small, or a round's numbers are
    not finite however often it is drawn. An interruption leaves what :func:`resume_folder` goes on
    with.
    """
    run_on_first(lambda: require_free(folder))
    config = config.resolved()
    parts = make_parts(config, assemble)
    folder = Path(folder)
    run_on_first(lambda: empty_folder(folder))
    with _held(folder):
        return _KeptRun(RunFolder.create(folder, config), config, parts, watcher).go()


@out_of_memory_in_one_line()
def resume_folder(
    folder: str | Path,
    watcher: Watcher = NOBODY,
    *,
    more_rounds: int = 0,
    mesh: str | None = None,
    assemble: Assemble = assemble,
) -> tuple[RoundMetrics, ...]:
    """Go on with an interrupted run as if nothing had happened.

    On a CPU, with the same number of threads, its measurements and weights are those of a run that
    was never interrupted, bit for bit; GPUs scatter in any order unless XLA is told otherwise.

    **Arguments:**

    - `folder`: the RUN folder.
    - `watcher`: who is told of what happens from here on.
    - `more_rounds`: rounds to add to those the run was asked for, >= 0.
    - `mesh`: how the devices share the work from here on; as before if None. On other devices the
        run goes on from the same weights and random numbers, to other rounding.
    - `assemble`: as for :func:`improve_to_folder`.

    **Returns:** the measurements of every checkpoint, those before the interruption included.

    **Raises:** `InputError` if `folder` is not the folder of a run, or is in use; `RunError` as
    :func:`improve_to_folder`.
    """
    folder = Path(folder)
    if more_rounds < 0:
        raise InputError(f"more_rounds must be 0 or more, got {more_rounds}")
    if not (folder / CONFIG_FILE).is_file():
        raise InputError(f"{folder} contains no run to resume: it has no {CONFIG_FILE}")
    with _held(folder):
        run = RunFolder.reopen(folder)
        config = prolonged(run.config, more_rounds)
        config = config if mesh is None else dataclasses.replace(config, mesh=mesh)
        parts = make_parts(config, assemble)
        barrier()  # before the first process writes what the others read
        return _KeptRun(run, config, parts, watcher).go()


@contextlib.contextmanager
def _held(folder: Path) -> Iterator[None]:
    """Hold the folder, by the first process, for all of them."""
    with contextlib.ExitStack() as stack:
        run_on_first(lambda: stack.enter_context(locked(folder)))
        yield


class _KeptRun:
    """A run with its folder and its checkpoints, from wherever it stands to its end."""

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
                self._notes.add(f"ended early: {end}")
            return self._run.metrics

    def _go_on(self, store: CheckpointStore) -> None:
        """Run the rounds, those again whose numbers were not finite."""
        state, training_set = self._start(store)
        self._tell(self._watcher.on_start, self._config, len(self._run.rows))
        if len(self._run.rows) <= self._config.num_rounds:
            self._notes.add_changed_versions()
            self._run.write_versions()
        while (fault := self._first_fault(store, state, training_set)) is not None:
            del state, training_set  # so that they need not fit beside their checkpoint
            self._retries.count_failure(len(self._run.rows))
            state, training_set = self._roll_back(store, fault)

    def _start(self, store: CheckpointStore) -> tuple[LoopState, TrainingSet | None]:
        """Where the newest checkpoint stands, or the beginning."""
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
        """Run the rounds to their end, or to numbers that are not finite."""
        try:
            self._rounds(store, state, training_set)
        except NotFinite as fault:
            return fault.with_traceback(None)  # whose frames hold the arrays of the round
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
            del checkpoint  # whose buffers the next round donates
            if jax.default_backend() == "cpu":
                # There a write under way holds the arrays, which an update could not take over.
                store.wait()

    def _roll_back(
        self, store: CheckpointStore, fault: NotFinite
    ) -> tuple[LoopState, TrainingSet | None]:
        """The state before the round that failed, with other random numbers ahead of it.

        What it trains on is sampled anew, unless it was fixed in the first round.

        **Raises:** `RunError` if the round has failed too often, or there is nothing to go back to.
        """
        store.wait()
        saved = self._newest(store)
        if saved is None or self._retries.are_spent:
            self._notes.add(f"{fault}: stopped")
            advice = (
                ", before any training: check the model's weights and the verifier, or take "
                "another --dtype"
                if saved is None
                else f", {self._retries.num_failures} times in a row: a lower learning rate may "
                "help; the checkpoints before it are intact"
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
        """The newest checkpoint that is intact; those after it are set aside."""
        damaged: list[str] = []  # said once it is known that the run goes on
        with on_mesh(self._config.mesh):
            saved = store.newest(self._parts.abstract_state, damaged.append)
        for line in damaged:
            self._notes.add(line)
        store.set_aside_after(-1 if saved is None else int(saved.state.round_index))
        return saved

    def _rewind(self, rows: Sequence[dict[str, float]]) -> None:
        """Go on after these measurements, of whose signs of collapse all have been told then."""
        self._run.rewind(rows, self._config)
        history = self._run.metrics
        for end in range(1, len(history) + 1):
            self._notes.add_signs_of_collapse(history[:end])

    def _tell(self, who: Callable[..., None], *what: Any) -> None:
        """Tell the watcher; where it ends the run, it ends in every process."""
        end = None
        try:
            who(*what)
        except EndRun as wish:
            end = wish
        if not all_agree(end is None):
            raise end or EndRun("by the first process")
