"""A run of the loop on the embedded model, from a configuration alone."""

from __future__ import annotations

from collections.abc import Iterator

from jaxgap.improve.config import ImproveConfig
from jaxgap.improve.loop import Checkpoint, Loop, OnStage, self_improve
from jaxgap.improve.verify import AbstractVerifier, RandomVerifier, SelfVerifier
from jaxgap.models import LanguageModel
from jaxgap.models.embedded import CAREFUL_MARKER, CARELESS_MARKER, RIGHT, WRONG, load_embedded
from jaxgap.tasks import Addition


def embedded_loop(config: ImproveConfig, model: LanguageModel) -> Loop:
    """The parts of a run of the embedded model on three-digit sums."""
    task = Addition()
    split = task.split(config.num_train_prompts, config.num_held_out_prompts, seed=config.seed)
    return Loop(config, model, _verifier(config, model), task, split)


def run(
    config: ImproveConfig, on_stage: OnStage = lambda round_index, stage: None
) -> Iterator[Checkpoint]:
    """Improve the embedded model, yielding each checkpoint as it is measured.

    **Arguments:**

    - `config`: the run.
    - `on_stage`: called with the round and the stage as each stage begins.

    **Returns:** an iterator over `config.num_rounds + 1` checkpoints, the first one before any
    training. Nothing runs until it is asked for the next.
    """
    model, params = load_embedded()
    loop = embedded_loop(config, model)
    yield from self_improve(loop, loop.init_state(params), on_stage)


def _verifier(config: ImproveConfig, model: LanguageModel) -> AbstractVerifier:
    if config.verifier == "random":
        return RandomVerifier()
    template = CAREFUL_MARKER if config.verifier == "careful" else CARELESS_MARKER
    rows = config.prompts_per_call * config.num_candidates
    return SelfVerifier(model, template, RIGHT, WRONG, rows)
