"""Export a checkpoint of a RUN folder as a model that other tools can load."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

import jax

from jaxgap.errors import InputError
from jaxgap.improve.assembly import load_parameters
from jaxgap.improve.config import EMBEDDED
from jaxgap.improve.keys import run_key
from jaxgap.improve.round_records import LoopState
from jaxgap.improve.runs.checkpoint_record import Saved
from jaxgap.improve.runs.checkpoints import CheckpointStore
from jaxgap.improve.runs.origin import origin_of_model
from jaxgap.improve.runs.run_folder import RunFolder
from jaxgap.improve.runs.run_lock import locked
from jaxgap.models import LanguageModel, Params, merge_adapters, save_adapters, save_folder


def export_run(
    run: str | Path,
    out: str | Path,
    *,
    round_index: int | None = None,
    merge: bool = False,
    on_note: Callable[[str], None] = lambda line: None,
) -> int:
    """Write the model of a checkpoint as a Hugging Face folder, or its adapters in PEFT's format.

    **Arguments:**

    - `run`: a RUN folder that no process is using.
    - `out`: the folder to write; must not exist, or be empty.
    - `round_index`: which of the kept checkpoints; the newest by default.
    - `merge`: for a run that trains adapters, write the whole model with the adapters merged in.
    - `on_note`: called with a line for each newer checkpoint that is damaged.

    **Returns:** the round of the checkpoint.

    **Raises:** `InputError` if there is no such checkpoint, the run is in progress, its model is
    the embedded one, or `out` is not empty.
    """
    folder = RunFolder.reopen(run)
    if folder.config.model == EMBEDDED:
        raise InputError(f"{run}: the embedded model is in no format that other tools read")
    if not folder.checkpoints.is_dir():
        raise InputError(f"{run}: has no checkpoint yet")
    # The problems are not loaded: weights do not depend on them, and their files may be gone.
    model, frozen, params = load_parameters(folder.config.resolved())
    abstract = _abstract_state(model, params)
    del params  # so that they need not fit beside those of the checkpoint
    origin = origin_of_model(model, frozen)
    with locked(folder.folder):
        saved = _saved(folder, origin, abstract, round_index, on_note)
    if model.lora is None:
        save_folder(out, model, saved.state.params)
    elif merge:
        whole = merge_adapters(frozen, saved.state.params, model.lora)
        save_folder(out, LanguageModel(model.config, model.tokenizer), whole)
    else:
        save_adapters(
            out, model.config, model.lora, saved.state.params, base_model=folder.config.model
        )
    return saved.state.round_index


def _abstract_state(model: LanguageModel, params: Params) -> LoopState:
    """The shapes of a state without its optimiser state, on the first device."""
    state = jax.eval_shape(lambda: LoopState(params, None, run_key(0), 0))
    return state.on_mesh(model.config)


def _saved(
    folder: RunFolder,
    origin: dict[str, int],
    abstract: LoopState,
    round_index: int | None,
    on_note: Callable[[str], None],
) -> Saved:
    with contextlib.closing(CheckpointStore(folder.checkpoints, 1, origin)) as store:
        kept = sorted(store.steps())
        wanted = kept if round_index is None else [round_index]
        saved = store.newest(abstract, on_note, wanted) if set(wanted) <= set(kept) else None
    if saved is None:
        which = "no checkpoint" if round_index is None else f"no checkpoint of round {round_index}"
        rounds = ", ".join(map(str, kept))
        raise InputError(f"{folder.folder}: has {which} that is intact; it keeps rounds {rounds}")
    return saved
