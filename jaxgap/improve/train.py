"""Train: lower the uncertainty of the selected completions, and of nothing else."""

from __future__ import annotations

import jax
import numpy as np

from jaxgap.improve.faults import require_finite
from jaxgap.improve.measures.metrics import TrainingSummary
from jaxgap.improve.records import LoopState, Prompts, TrainingSet
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
    - `optimizer`, `computation`: how it is updated, and how that is computed.
    - `state`: before the round; its parameters and optimiser state are donated.
    - `frozen`: parameters that are held, `{}` if there are none.
    - `prompts`, `training_set`: what to train on.
    - `key`: randomness of the order.
    - `epochs`: passes over the prompts.
    - `batch_size`: examples a step, at most the number of prompts; a pass leaves out the
        remainder, another one each time.
    - `microbatch_size`: rows of tokens whose gradient is computed at a time; on a mesh rounded up
        to what it shards evenly.
    - `max_new_tokens`: the most tokens of a completion; with the prompts it decides how long a row
        is, so that every round runs the same compiled step.

    **Returns:** the state after the round.

    **Raises:** `NotFinite` if a loss or the norm of a gradient is NaN or infinite. Clipping makes a
    step of an infinite norm nothing, and the loss does not tell.
    """
    tokens, completion_mask = training_set
    longest = prompts.batch.tokens.shape[1] + max_new_tokens - 1
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
    # Looked at once a round: reading each as it comes would make every step wait for it.
    losses, norms = np.transpose(to_host(numbers))
    for name, values in (("loss", losses), ("gradient", norms)):
        require_finite(values, f"a training {name}", state.round_index)
    num_done = state.round_index + 1
    rate = optimizer.schedule.as_optax()(num_done * len(numbers) - 1)  # each round has as many
    told = (losses.mean(), norms.max(), np.asarray(rate), *np.sum(sizes, axis=0))
    training = TrainingSummary(*map(float, told))
    return LoopState(params, opt_state, state.key, num_done, training)
