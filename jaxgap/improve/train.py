"""Train: lower the uncertainty of the selected completions only."""

from __future__ import annotations

import jax
import numpy as np

from jaxgap.improve.faults import require_finite
from jaxgap.improve.measures.metrics import TrainingSummary
from jaxgap.improve.round_records import LoopState, Prompts, TrainingSet
from jaxgap.models import LanguageModel, Params
from jaxgap.sampling import TokenBatch
from jaxgap.sharding import even_rows, rows_to_devices, to_host
from jaxgap.training import AdamW, BatchShape, Computation, Examples, pack, update


def train(
    model: LanguageModel,
    optimizer: AdamW,
    computation: Computation,
    state: LoopState,
    frozen: Params,
    prompts: Prompts,
    training_set: TrainingSet,
    key: jax.Array,
    *,
    epochs: int,
    batch_size: int,
    microbatch_size: int,
    max_new_tokens: int,
) -> LoopState:
    """Train on the selected completions for one round.

    **Arguments:**

    - `model`: the model.
    - `optimizer`, `computation`: the optimiser, and how the update is computed.
    - `state`: the state before the round; its parameters and optimiser state are donated.
    - `frozen`: the frozen parameters, `{}` if there are none.
    - `prompts`, `training_set`: what to train on.
    - `key`: random key for the order of the examples.
    - `epochs`: passes over the prompts.
    - `batch_size`: examples per step, at most the number of prompts; each pass drops a different
        remainder.
    - `microbatch_size`: rows of tokens whose gradient is computed at a time; on a mesh, rounded up
        to shard evenly.
    - `max_new_tokens`: maximum length of a completion; with the prompts, up to the model's context,
        it determines the row length, so that every round runs the same compiled step.

    **Returns:** the state after the round.

    **Raises:** `NotFinite` if a loss or the norm of a gradient is NaN or infinite. Clipping
    turns a gradient of infinite norm into a zero step, which the loss does not reveal.
    """
    tokens, completion_mask = training_set
    ends = prompts.batch.tokens.shape[1] + max_new_tokens
    longest = min(ends, model.config.context_length) - 1
    rows_at_once = even_rows(min(batch_size, microbatch_size))
    shape = BatchShape.of(batch_size, rows_at_once, row_length=longest)
    params, opt_state = state.params, state.opt_state
    numbers, sizes = [], []
    for epoch in range(epochs):
        order = np.asarray(jax.random.permutation(jax.random.fold_in(key, epoch), len(prompts)))
        for start in range(0, len(order) - batch_size + 1, batch_size):
            rows = order[start : start + batch_size]
            batch = TokenBatch(prompts.batch.tokens[rows], prompts.batch.mask[rows])
            packed = pack(Examples(batch, tokens[rows], completion_mask[rows]), shape)
            sizes.append((packed.num_tokens, packed.num_targets))
            examples = rows_to_devices(packed, axis=1)
            step = update(model, optimizer, computation, params, frozen, opt_state, examples)
            params, opt_state = step.trainable, step.opt_state
            numbers.append((step.loss, step.gradient_norm))
    # Read once per round: reading each loss immediately would block every step.
    losses, norms = np.transpose(to_host(numbers))
    for name, values in (("loss", losses), ("gradient", norms)):
        require_finite(values, f"a training {name}", state.round_index)
    num_done = state.round_index + 1
    rate = optimizer.schedule.as_optax()(num_done * len(numbers) - 1)  # each round has as many
    summary = (losses.mean(), norms.max(), np.asarray(rate), *np.sum(sizes, axis=0))
    training = TrainingSummary(*map(float, summary))
    return LoopState(params, opt_state, state.key, num_done, training)
