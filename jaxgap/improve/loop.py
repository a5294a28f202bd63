"""The self-improvement loop: generate, verify, select, train, measure.

Each round the model answers the training prompts several times, judges its own answers, and trains
on the ones it selects. Measuring repeats the first three on held-out prompts, and is where the
true answers come in; they go nowhere else. It is done of the model as it came (checkpoint 0) and
after each round's training: once the next round's completions are selected, before they are trained
on.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Literal, NamedTuple, TypeAlias

import jax
import numpy as np

from jaxgap.improve.config import ImproveConfig
from jaxgap.improve.external import ExternalResponses
from jaxgap.improve.faults import NotFinite
from jaxgap.improve.generate import generate
from jaxgap.improve.measure import assess, measure
from jaxgap.improve.metrics import RoundMetrics
from jaxgap.improve.records import (
    Candidates,
    LoopState,
    Prompts,
    Scores,
    Selected,
    TrainingSet,
    as_scores,
)
from jaxgap.improve.select import select
from jaxgap.improve.train import train
from jaxgap.improve.verifiers.abstract_verifier import AbstractVerifier
from jaxgap.models import LanguageModel, Params, join_adapters
from jaxgap.sampling import Progress
from jaxgap.sharding import broadcast_from_first
from jaxgap.tasks import AbstractTask, TaskSplit
from jaxgap.training import (
    AbstractSchedule,
    AdamW,
    Computation,
    Constant,
    CosineDecay,
    LinearDecay,
)

Stage: TypeAlias = Literal["generate", "verify", "select", "train", "measure"]


class Observer(NamedTuple):
    """Who is told what happens, and may raise to stop the run there.

    **Fields:**

    - `on_stage`: called with the round and the stage as each stage begins.
    - `on_progress`: called every few tokens while candidates are sampled.
    """

    on_stage: Callable[[int, Stage], None] = lambda round_index, stage: None
    on_progress: Callable[[Progress], None] = lambda progress: None


_NOBODY = Observer()


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
    - `frozen`: parameters of the model that are held while its adapters are trained.
    - `external`: responses of a stronger model, if there are any.
    """

    config: ImproveConfig
    model: LanguageModel
    verifier: AbstractVerifier
    task: AbstractTask
    split: TaskSplit
    frozen: Params = dataclasses.field(default_factory=dict)
    external: ExternalResponses | None = None

    def init_state(self, params: Params) -> LoopState:
        """The state before the first round; `params` are those to be trained."""
        opt_state = self.optimizer.transformation().init(params)
        return LoopState(params, opt_state, jax.random.key(self.config.seed), 0)

    def abstract_state(self, params: Params) -> LoopState:
        """The same as shapes, each with the place on the devices where it belongs."""
        return jax.eval_shape(self.init_state, params).on_mesh(self.model.config)

    @property
    def optimizer(self) -> AdamW:
        """The optimiser's settings."""
        config = self.config
        return AdamW(_schedule(config), config.weight_decay, config.clip_norm)

    @property
    def computation(self) -> Computation:
        """How the update step computes; on a mesh each layer again in the backward pass.

        Models that need a mesh need its memory more than its time, and `jaxgap plan` counts so.
        """
        again = self.config.remat or self.config.mesh
        policy = jax.checkpoint_policies.nothing_saveable if again else None
        return Computation(np.dtype(self.config.dtype), policy)

    def acting_params(self, params: Params) -> Params:
        """Parameters to sample and judge with: adapters joined, in the type of the products."""
        joined = join_adapters(self.frozen, params)
        return jax.tree.map(lambda leaf: leaf.astype(self.config.dtype), joined)

    def prompts(self, name: Literal["train", "held_out"]) -> Prompts:
        """The prompts of a split, without their answers."""
        problems = getattr(self.split, name)
        texts = [problem.prompt for problem in problems]
        return Prompts.encode(self.model.tokenizer, texts, thinks=self.config.thinking)

    def answer(
        self, state: LoopState, prompts: Prompts, key: jax.Array, observer: Observer
    ) -> tuple[Candidates, Scores, Selected]:
        """Generate, verify, select.

        **Raises:** `NotFinite` if the model's probabilities or the scores are not finite.
        """
        config, round_index = self.config, int(state.round_index)
        params = self.acting_params(state.params)
        generate_key, verify_key = jax.random.split(key)
        observer.on_stage(round_index, "generate")
        candidates = generate(
            self.model,
            params,
            prompts,
            generate_key,
            num_candidates=config.num_candidates,
            max_new_tokens=config.max_new_tokens,
            prompts_per_call=config.prompts_per_call,
            on_progress=observer.on_progress,
        )
        if not np.isfinite(candidates.logprobs).all():
            raise NotFinite(round_index, "a probability of a sampled token")
        observer.on_stage(round_index, "verify")
        # Of a verifier of one's own, which may run out of time in one process and not in another.
        scores = broadcast_from_first(
            as_scores(self.verifier(params, prompts, candidates, verify_key), candidates)
        )
        if not np.isfinite(scores).all():
            raise NotFinite(round_index, "a verifier's score")
        observer.on_stage(round_index, "select")
        return candidates, scores, select(candidates, scores, config.threshold)


def self_improve(
    loop: Loop,
    state: LoopState,
    observer: Observer = _NOBODY,
    training_set: TrainingSet | None = None,
) -> Iterator[Checkpoint]:
    """Run the loop from `state` to its last round, yielding every checkpoint, the first included.

    **Arguments:**

    - `loop`: what stays.
    - `state`: where to begin, as `Loop.init_state` gives it; its buffers are given up.
    - `observer`: who is told what happens.
    - `training_set`: that of an earlier checkpoint of the same state, if the run goes on from
        there: it is trained on at once, and the checkpoint is not yielded again.

    **Returns:** an iterator over the checkpoints of all rounds from that of `state` to
    `config.num_rounds`. Nothing runs until it is asked for the next.

    **Raises:** `NotFinite` if a probability, a score or a loss is NaN or infinite; `ValueError` if
    a verifier's scores are of another shape than the candidates, or outside [0, 1].
    """
    config = loop.config
    train_prompts, held_out_prompts = loop.prompts("train"), loop.prompts("held_out")
    is_measured = training_set is not None
    while True:
        round_index = int(state.round_index)
        round_key = jax.random.fold_in(state.key, round_index)
        train_key, held_out_key, order_key = jax.random.split(round_key, 3)
        if not is_measured:
            answered = loop.answer(state, train_prompts, train_key, observer)
            observer.on_stage(round_index, "measure")
            held_out = loop.answer(state, held_out_prompts, held_out_key, _quiet(observer))
            metrics = RoundMetrics(
                round_index,
                held_out=measure(*held_out, assess(loop.task, loop.split.held_out, held_out[0])),
                train=measure(*answered, assess(loop.task, loop.split.train, answered[0])),
                training=state.training,
            )
            if training_set is None or config.candidates == "regenerated":
                training_set = TrainingSet.of(answered[0], answered[2])
            yield Checkpoint(state, training_set, metrics)
        assert training_set is not None
        if round_index >= config.num_rounds:
            return
        observer.on_stage(round_index, "train")
        chosen = training_set
        if loop.external is not None:
            chosen = loop.external.replace(round_index, training_set)
        state = train(
            loop.model,
            loop.optimizer,
            loop.computation,
            state,
            loop.frozen,
            train_prompts,
            chosen,
            order_key,
            epochs=config.epochs_per_round,
            batch_size=config.batch_size,
            microbatch_size=config.microbatch_size,
            max_new_tokens=config.max_new_tokens,
        )
        is_measured = False


def _schedule(config: ImproveConfig) -> AbstractSchedule:
    peak, warm_up = config.learning_rate, config.warm_up_steps
    match config.schedule:
        case "linear":
            return LinearDecay(peak, warm_up, config.num_steps)
        case "cosine":
            return CosineDecay(peak, warm_up, config.num_steps)
    if not warm_up:
        return Constant(peak)
    return LinearDecay(peak, warm_up, config.num_steps, final=peak)  # a line that is level


def _quiet(observer: Observer) -> Observer:
    """The same without word of stages: those that measuring repeats belong to it."""
    return observer._replace(on_stage=_NOBODY.on_stage)
