"""The self-improvement loop: generate, verify, select, train, measure.

Each round the model answers the training prompts several times, judges its own answers, and trains
on the ones it selects. Measuring repeats the first three on held-out prompts, and is where the
true answers come in; they go nowhere else.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Literal, NamedTuple, TypeAlias

import jax
import numpy as np

from jaxgap.improve.config import ImproveConfig
from jaxgap.improve.faults import NotFinite
from jaxgap.improve.generate import generate
from jaxgap.improve.measure import grade, measure
from jaxgap.improve.metrics import RoundMetrics
from jaxgap.improve.records import (
    Candidates,
    LoopState,
    Prompts,
    Scores,
    Selected,
    TrainingSet,
)
from jaxgap.improve.select import select
from jaxgap.improve.train import train
from jaxgap.improve.verify import AbstractVerifier
from jaxgap.models import LanguageModel, Params
from jaxgap.tasks import AbstractTask, TaskSplit
from jaxgap.training import AdamW, Constant

Stage: TypeAlias = Literal["generate", "verify", "select", "train", "measure"]
OnStage: TypeAlias = Callable[[int, Stage], None]
"""Called with the round and the stage as each stage begins; may raise to stop the run there."""


class Checkpoint(NamedTuple):
    """What the loop yields at each checkpoint, after measuring and before training.

    **Fields:**

    - `state`: all that the rest of the run depends on. Going on gives its buffers up, so copy it
        to keep it.
    - `training_set`: what the round is about to train on. It follows from the state; with it a run
        goes on at once.
    - `metrics`: what was measured in that state.
    """

    state: LoopState
    training_set: TrainingSet
    metrics: RoundMetrics


@dataclasses.dataclass(frozen=True)
class Loop:
    """The parts of a run that stay as they are while the parameters change.

    **Fields:**

    - `config`: numbers of prompts, candidates and rounds, threshold, learning rate.
    - `model`: the model without its parameters.
    - `verifier`: who scores the candidates.
    - `task`: the exact grader.
    - `split`: training and held-out problems.
    """

    config: ImproveConfig
    model: LanguageModel
    verifier: AbstractVerifier
    task: AbstractTask
    split: TaskSplit

    def init_state(self, params: Params) -> LoopState:
        """The state before the first round."""
        opt_state = self.optimizer.transformation().init(params)
        return LoopState(params, opt_state, jax.random.key(self.config.seed), 0)

    @property
    def optimizer(self) -> AdamW:
        """The optimiser's settings."""
        config = self.config
        return AdamW(Constant(config.learning_rate), config.weight_decay, config.clip_norm)

    def prompts(self, name: Literal["train", "held_out"]) -> Prompts:
        """The prompts of a split, without their answers."""
        problems = getattr(self.split, name)
        return Prompts.encode(self.model.tokenizer, [problem.text for problem in problems])

    def answer(
        self, state: LoopState, prompts: Prompts, key: jax.Array, enter: Callable[[Stage], None]
    ) -> tuple[Candidates, Scores, Selected]:
        """Generate, verify, select.

        **Raises:** `NotFinite` if the model's probabilities are not finite.
        """
        config = self.config
        generate_key, verify_key = jax.random.split(key)
        enter("generate")
        candidates = generate(
            self.model,
            state.params,
            prompts,
            generate_key,
            num_candidates=config.num_candidates,
            max_new_tokens=config.max_new_tokens,
            prompts_per_call=config.prompts_per_call,
        )
        if not np.isfinite(candidates.logprobs).all():
            raise NotFinite(int(state.round_index), "a probability of a sampled token")
        enter("verify")
        scores = self.verifier(state.params, prompts, candidates, verify_key)
        enter("select")
        return candidates, scores, select(candidates, scores, config.threshold)


def self_improve(
    loop: Loop,
    state: LoopState,
    on_stage: OnStage = lambda round_index, stage: None,
    training_set: TrainingSet | None = None,
) -> Iterator[Checkpoint]:
    """Run the loop from `state` to its last round, yielding every checkpoint, the first included.

    **Arguments:**

    - `loop`: what stays.
    - `state`: where to begin, as `Loop.init_state` gives it; its buffers are given up.
    - `on_stage`: called as each stage begins.
    - `training_set`: that of an earlier checkpoint of the same state, if the run goes on from
        there: it is trained on at once, and the checkpoint is not yielded again.

    **Raises:** `NotFinite` if a probability or a loss is NaN or infinite.
    """
    train_prompts, held_out_prompts = loop.prompts("train"), loop.prompts("held_out")
    while True:
        round_index = int(state.round_index)
        round_key = jax.random.fold_in(state.key, round_index)
        train_key, held_out_key, order_key = jax.random.split(round_key, 3)

        def enter(stage: Stage, round_index: int = round_index) -> None:
            on_stage(round_index, stage)

        if training_set is None:
            answered = loop.answer(state, train_prompts, train_key, enter)
            enter("measure")
            held_out = loop.answer(state, held_out_prompts, held_out_key, lambda stage: None)
            metrics = RoundMetrics(
                round_index,
                held_out=measure(*held_out, grade(loop.task, loop.split.held_out, held_out[0])),
                train=measure(*answered, grade(loop.task, loop.split.train, answered[0])),
            )
            training_set = TrainingSet.of(answered[0], answered[2])
            yield Checkpoint(state, training_set, metrics)
        if round_index >= loop.config.num_rounds:
            return
        enter("train")
        state = train(
            loop.model,
            loop.optimizer,
            state,
            train_prompts,
            training_set,
            order_key,
            epochs=loop.config.epochs_per_round,
            batch_size=loop.config.batch_size,
        )
        training_set = None
