"""The self-improvement loop: generate, verify, select, train, measure.

Each round the model answers the training prompts several times, judges its own answers, and trains
on the ones it selects. Measuring repeats the first three stages on held-out prompts and grades the
answers of both splits against the reference answers, which no other stage sees (except the verifier
`exact`).

Checkpoint 0 measures the initial model; each later one measures the model after a round of
training. A checkpoint is taken once the next round's completions are selected and before they are
trained on.
"""

from __future__ import annotations

from collections.abc import Iterator

import jax

from jaxgap.improve.faults import require_finite
from jaxgap.improve.generate import generate
from jaxgap.improve.grading import assess
from jaxgap.improve.measure import measure
from jaxgap.improve.measures.metrics import RoundMetrics
from jaxgap.improve.parts import Loop
from jaxgap.improve.round_records import Answers, Checkpoint, LoopState, Prompts, TrainingSet
from jaxgap.improve.select import select
from jaxgap.improve.train import train
from jaxgap.improve.verify import verify
from jaxgap.improve.watcher import NOBODY, Watcher


def self_improve(
    loop: Loop,
    state: LoopState,
    watcher: Watcher = NOBODY,
    training_set: TrainingSet | None = None,
) -> Iterator[Checkpoint]:
    """Run the loop from `state` to its last round, yielding every checkpoint including the first.

    **Arguments:**

    - `loop`: the parts of the run.
    - `state`: where to begin, as returned by `Loop.init_state`; its buffers are donated.
    - `watcher`: callbacks for stages and progress.
    - `training_set`: the training set of a saved checkpoint with this state, to resume from it:
        training on it starts immediately, and the checkpoint is not yielded again.

    **Returns:** a lazy iterator over the checkpoints of all rounds from that of `state` to
    `config.num_rounds`.

    **Raises:** `NotFinite` if a probability, a score or a loss is NaN or infinite; `ValueError` if
    a verifier's scores differ in shape from the candidates, or lie outside [0, 1], or a round of
    training is to come and `state.opt_state` is None.
    """
    if state.opt_state is None and state.round_index < loop.config.num_rounds:
        raise ValueError(
            "state.opt_state must be the optimiser's state, got None: load the checkpoint with it, "
            "or begin with loop.init_state(state.params)"
        )
    prompts = loop.train_prompts
    if training_set is None:
        answers = generate_verify_select(loop, state, prompts, state.round_keys.train, watcher)
        training_set = answers.training_set
        yield Checkpoint(state, training_set, _measure(loop, state, answers, watcher))
    while state.round_index < loop.config.num_rounds:
        state = _train(loop, state, training_set, watcher)
        answers = generate_verify_select(loop, state, prompts, state.round_keys.train, watcher)
        if loop.config.candidates == "regenerated":
            training_set = answers.training_set
        yield Checkpoint(state, training_set, _measure(loop, state, answers, watcher))


def generate_verify_select(
    loop: Loop, state: LoopState, prompts: Prompts, key: jax.Array, watcher: Watcher = NOBODY
) -> Answers:
    """Answer each prompt several times, score the answers, and select one per prompt.

    **Arguments:**

    - `loop`, `state`: the model and its verifier.
    - `prompts`: the prompts of either split.
    - `key`: random key for these stages.
    - `watcher`: callbacks for stages and progress.

    **Returns:** the candidates, their scores, and which ones were selected.

    **Raises:** the same errors as :func:`self_improve`.
    """
    config, round_index = loop.config, state.round_index
    params = loop.acting_params(state.params)
    generate_key, verify_key = jax.random.split(key)

    watcher.on_stage(round_index, "generate")
    candidates = generate(
        loop.model,
        params,
        prompts,
        generate_key,
        num_candidates=config.num_candidates,
        max_new_tokens=config.max_new_tokens,
        prompts_per_call=config.prompts_per_call,
        on_progress=watcher.on_progress,
    )
    require_finite(candidates.logprobs, "a probability of a sampled token", round_index)

    watcher.on_stage(round_index, "verify")
    scores = verify(loop.verifier, params, prompts, candidates, verify_key)
    require_finite(scores, "a verifier's score", round_index)

    watcher.on_stage(round_index, "select")
    return Answers(candidates, scores, select(candidates, scores, config.threshold))


def _train(loop: Loop, state: LoopState, training_set: TrainingSet, watcher: Watcher) -> LoopState:
    """The state after one round of training, including any external responses."""
    config, round_index = loop.config, state.round_index
    watcher.on_stage(round_index, "train")
    if loop.external is not None:
        training_set = loop.external.replace(round_index, training_set)
    return train(
        loop.model,
        loop.optimizer,
        loop.computation,
        state,
        loop.frozen,
        loop.train_prompts,
        training_set,
        state.round_keys.order,
        epochs=config.epochs_per_round,
        batch_size=config.batch_size,
        microbatch_size=config.microbatch_size,
        max_new_tokens=config.max_new_tokens,
    )


def _measure(loop: Loop, state: LoopState, answers: Answers, watcher: Watcher) -> RoundMetrics:
    """Grade and summarise the answers to the training prompts and to the held-out prompts."""
    watcher.on_stage(state.round_index, "measure")
    quiet = watcher._replace(on_stage=NOBODY.on_stage)  # the repeated stages belong to this one
    prompts, key = loop.held_out_prompts, state.round_keys.held_out
    held_out = generate_verify_select(loop, state, prompts, key, quiet)
    task, split = loop.task, loop.split
    return RoundMetrics(
        state.round_index,
        held_out=measure(*held_out, assess(task, split.held_out, held_out.candidates)),
        train=measure(*answers, assess(task, split.train, answers.candidates)),
        training=state.training,
    )
