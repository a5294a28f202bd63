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
from typing import Any, NamedTuple, TypeAlias

import jax

from jaxgap.errors import InputError, RunError
from jaxgap.improve.agreement import require_same, settings_of
from jaxgap.improve.assembly import assemble
from jaxgap.improve.checkpoints import CheckpointStore, Saved
from jaxgap.improve.collapse import signs_of_collapse
from jaxgap.improve.config import ImproveConfig
from jaxgap.improve.device_memory import fitting_device
from jaxgap.improve.external import shares
from jaxgap.improve.faults import NotFinite
from jaxgap.improve.loop import Loop, Observer, Stage, self_improve
from jaxgap.improve.metrics import RoundMetrics
from jaxgap.improve.origin import origin_of
from jaxgap.improve.records import LoopState, TrainingSet
from jaxgap.improve.run_files import CONFIG_FILE
from jaxgap.improve.run_folder import RunFolder, empty_folder, require_free
from jaxgap.improve.run_lock import locked
from jaxgap.models import Params
from jaxgap.sampling import Progress
from jaxgap.sharding import all_agree, barrier, each_on_mesh, on_mesh, run_on_first


class EndRun(Exception):
    """Raised by a watcher to end a run there, with the reason as its message."""


class Watcher(NamedTuple):
    """Who is told what happens.

    **Fields:**

    - `on_start`: called with the configuration and the number of checkpoints already done; it may
        raise :class:`EndRun`, as may `on_round`.
    - `on_round`: called with each checkpoint's measurements once they are on disk.
    - `on_stage`: called with the round and the stage as each stage begins.
    - `on_progress`: called every few tokens while candidates are sampled.
    - `on_note`: called with a line for everything out of the ordinary.
    """

    on_start: Callable[[ImproveConfig, int], None] = lambda config, num_done: None
    on_round: Callable[[RoundMetrics], None] = lambda metrics: None
    on_stage: Callable[[int, Stage], None] = lambda round_index, stage: None
    on_progress: Callable[[Progress], None] = lambda progress: None
    on_note: Callable[[str], None] = lambda line: None


_NOBODY = Watcher()

Assemble: TypeAlias = Callable[[ImproveConfig], tuple[Loop, Params]]
"""Makes the parts of a run from its configuration, with the parameters to be trained."""


@fitting_device()
def improve_to_folder(
    config: ImproveConfig,
    folder: str | Path,
    watcher: Watcher = _NOBODY,
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
    parts = _parts(config, assemble)
    folder = Path(folder)
    run_on_first(lambda: empty_folder(folder))
    with _held(folder):
        run = _KeptRun(RunFolder.create(folder, config), watcher, assemble, parts)
        del parts  # whose parameters are the run's to give up
        return run.go()


@fitting_device()
def resume_folder(
    folder: str | Path,
    watcher: Watcher = _NOBODY,
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
        wanted = _prolonged(run.config, more_rounds)
        wanted = wanted if mesh is None else dataclasses.replace(wanted, mesh=mesh)
        parts = _parts(wanted, assemble)
        barrier()  # before the first process writes what the others read
        run.change(wanted)
        kept = _KeptRun(run, watcher, assemble, parts)
        del parts  # whose parameters are the run's to give up
        return kept.go()


def _prolonged(config: ImproveConfig, more_rounds: int) -> ImproveConfig:
    """The same with more rounds, in which no external response is used a second time."""
    if not more_rounds:
        return config
    allocation = config.allocation
    if config.external:
        allocation = ",".join(map(repr, shares(allocation, config.num_rounds)))
    num_rounds = config.num_rounds + more_rounds
    return dataclasses.replace(config, num_rounds=num_rounds, allocation=allocation)


@contextlib.contextmanager
def _held(folder: Path) -> Iterator[None]:
    """Hold the folder, by the first process, for all of them."""
    with contextlib.ExitStack() as stack:
        run_on_first(lambda: stack.enter_context(locked(folder)))
        yield


class _Parts(NamedTuple):
    """The parts of a run, which are the same in all of its processes."""

    loop: Loop
    params: Params
    origin: dict[str, int]


def _parts(config: ImproveConfig, assemble: Assemble) -> _Parts:
    require_same(settings_of(config))  # before anything is computed together by them
    with on_mesh(config.mesh):
        loop, params = assemble(config)
        origin = origin_of(loop)
    require_same(origin)
    return _Parts(loop, params, origin)


class _KeptRun:
    """A run with its folder and its checkpoints, from wherever it stands to its end."""

    def __init__(self, run: RunFolder, watcher: Watcher, assemble: Assemble, parts: _Parts):
        self._run, self._watcher, self._assemble = run, watcher, assemble
        self._loop, self._origin = parts.loop, parts.origin
        with on_mesh(run.config.mesh):
            self._abstract_state = self._loop.abstract_state(parts.params)
        self._params: Params | None = parts.params
        self._num_drawn_afresh = 0  # since the last checkpoint was saved

    def go(self) -> tuple[RoundMetrics, ...]:
        num_kept = self._run.config.num_checkpoints_kept
        store = CheckpointStore(self._run.checkpoints, num_kept, self._origin)
        with contextlib.closing(store):
            try:
                self._go_on(store)
            except EndRun as end:
                self._note(f"ended early: {end}")
            return self._run.metrics

    def _note_changed_versions(self) -> None:
        for name, (before, now) in self._run.changed_versions().items():
            self._note(f"continues with {name} {now}, previously {before}")
        self._run.write_versions()

    def _go_on(self, store: CheckpointStore) -> None:
        """Run the rounds, those again whose numbers were not finite."""
        state, training_set = self._start(store)
        self._tell(self._watcher.on_start, self._run.config, len(self._run.rows))
        if len(self._run.rows) <= self._run.config.num_rounds:
            self._note_changed_versions()
        num_failures, furthest = 0, -1
        while (fault := self._first_fault(store, state, training_set)) is not None:
            del state, training_set  # so that they need not fit beside their checkpoint
            reached = len(self._run.rows)
            num_failures = num_failures + 1 if reached <= furthest else 1
            furthest = max(furthest, reached)
            state, training_set = self._roll_back(store, fault, num_failures)

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
        run, watcher = self._run, self._watcher

        def enter(round_index: int, stage: Stage) -> None:
            run.enter(stage)
            watcher.on_stage(round_index, stage)

        observer = Observer(enter, watcher.on_progress)
        checkpoints = self_improve(self._loop, state, observer, training_set)
        for checkpoint in each_on_mesh(run.config.mesh, checkpoints):
            run.add(checkpoint.metrics)
            with on_mesh(run.config.mesh):
                store.save(Saved(checkpoint.state, checkpoint.training_set, run.rows))
            self._num_drawn_afresh = 0
            self._watch_for_collapse(run.metrics)
            self._tell(watcher.on_round, checkpoint.metrics)
            del checkpoint  # the state is the round's to give up
            if jax.default_backend() == "cpu":
                # There a write under way holds the arrays, which an update could not take over.
                store.wait()

    def _tell(self, who: Callable[..., None], *what: Any) -> None:
        """Tell the watcher; where it ends the run, it ends in every process."""
        end = None
        try:
            who(*what)
        except EndRun as wish:
            end = wish
        if not all_agree(end is None):
            raise end or EndRun("by the first process")

    def _start(self, store: CheckpointStore) -> tuple[LoopState, TrainingSet | None]:
        """Where the newest checkpoint stands, or the beginning."""
        newest = max(store.steps(), default=-1)
        params, self._params = self._params, None
        if store.steps():
            params = None  # so that a model need not fit beside its checkpoint
        saved = self._newest(store)
        for line in self._run.left_out:
            self._note(line)
        self._note_missing_checkpoint(newest)
        self._rewind(() if saved is None else saved.rows)
        if saved is None:
            with on_mesh(self._run.config.mesh):
                if params is None:
                    _, params = self._assemble(self._run.config)
                return self._loop.init_state(params), None
        return saved.state, saved.training_set

    def _rewind(self, rows: Sequence[dict[str, float]]) -> None:
        """Go on after these measurements, of whose signs of collapse all have been told then."""
        self._run.rewind(rows)
        history = self._run.metrics
        for end in range(1, len(history) + 1):
            self._watch_for_collapse(history[:end])

    def _note_missing_checkpoint(self, newest: int) -> None:
        """Say that of a round that was measured there is no checkpoint: deleted, or never whole."""
        measured = self._run.last_timed
        if measured > newest:
            place = "the beginning" if newest < 0 else f"checkpoint {newest}"
            self._note(f"there is no checkpoint of round {measured:g}: continuing from {place}")

    def _roll_back(
        self, store: CheckpointStore, fault: NotFinite, num_failures: int
    ) -> tuple[LoopState, TrainingSet | None]:
        """The state before the round that failed, with other random numbers ahead of it.

        What it trains on is sampled anew, unless it was fixed in the first round. Which numbers are
        drawn next depends on the checkpoint and on how often the run has gone back to it, so that a
        run that is interrupted here draws the same when it goes on.

        **Raises:** `RunError` if the round has failed too often, or there is nothing to go back to.
        """
        store.wait()
        saved = self._newest(store)
        if saved is None:
            self._note(f"{fault}: stopped")
            raise RunError(
                f"{self._run.folder}: {fault}, before any training: check the model's weights and "
                "the verifier, or take another --dtype"
            ) from fault
        if num_failures > self._run.config.num_retries:
            self._note(f"{fault}: stopped")
            raise RunError(
                f"{self._run.folder}: {fault}, {num_failures} times in a row: a lower learning "
                "rate may help; the checkpoints before it are intact"
            ) from fault
        self._note(f"{fault}: round {saved.state.round_index} is redrawn")
        self._num_drawn_afresh += 1
        state = saved.state.redrawn(self._num_drawn_afresh)
        if self._run.config.candidates == "fixed":
            self._rewind(saved.rows)
            return state, saved.training_set
        self._rewind(saved.rows[:-1])
        return state, None

    def _newest(self, store: CheckpointStore) -> Saved | None:
        damaged: list[str] = []  # said once it is known that the run goes on
        with on_mesh(self._run.config.mesh):
            saved = store.newest(self._abstract_state, damaged.append)
        for line in damaged:
            self._note(line)
        store.set_aside_after(-1 if saved is None else int(saved.state.round_index))
        return saved

    def _watch_for_collapse(self, history: Sequence[RoundMetrics]) -> None:
        """Tell each sign of a collapse the first time that it shows.

        It may have been told in a round that was undone since, or its round may have been kept and
        an interruption have come before it was told.
        """
        for name, sentence in signs_of_collapse(history).items():
            if not self._run.has_sign(name):
                self._note(sentence, sign=name)

    def _note(self, line: str, **what: str) -> None:
        self._run.note(line, **what)
        self._watcher.on_note(line)
