"""Train: lower the uncertainty of the selected completions, and of nothing else."""

from __future__ import annotations

import functools
from typing import NamedTuple, cast

import jax
import numpy as np
import optax
from jaxtyping import Array, Float

from jaxgap.improve.faults import NotFinite
from jaxgap.improve.records import LoopState, Prompts, TrainingSet
from jaxgap.models import LanguageModel, Mask, Params, Tokens
from jaxgap.sampling import TokenBatch, completion_logprobs


class Examples(NamedTuple):
    """Prompts with one completion each, padded on the right."""

    prompts: TokenBatch
    tokens: Tokens
    mask: Mask


class Optimizer(NamedTuple):
    """The settings of AdamW; hashable, so static under `jax.jit`.

    **Fields:**

    - `learning_rate`: the step size, constant over the run, > 0.
    - `weight_decay`: decoupled decay, >= 0.
    - `clip_norm`: the largest global norm of a gradient, > 0.
    """

    learning_rate: float
    weight_decay: float
    clip_norm: float

    def transformation(self) -> optax.GradientTransformation:
        """Clipping, then AdamW."""
        return optax.chain(
            optax.clip_by_global_norm(self.clip_norm),
            optax.adamw(self.learning_rate, b2=0.95, weight_decay=self.weight_decay),
        )


def training_loss(model: LanguageModel, params: Params, examples: Examples) -> Float[Array, ""]:
    """Mean total negative log-likelihood of the completions in nats, the prompts masked out.

    On freshly selected completions this is the verifier's uncertainty `U_v`, which the paper
    minimises.
    """
    logprobs = completion_logprobs(model, params, *examples)
    return -logprobs.sum() / logprobs.shape[0]


@functools.partial(
    jax.jit, static_argnames=("model", "optimizer"), donate_argnames=("params", "opt_state")
)
def update(
    model: LanguageModel,
    optimizer: Optimizer,
    params: Params,
    opt_state: optax.OptState,
    examples: Examples,
) -> tuple[Params, optax.OptState, Float[Array, ""]]:
    """One step of the optimiser; the old parameters and state are given up."""
    loss, gradients = jax.value_and_grad(training_loss, argnums=1)(model, params, examples)
    updates, opt_state = optimizer.transformation().update(gradients, opt_state, params)
    stepped = cast(Params, optax.apply_updates(params, updates))
    return stepped, opt_state, loss


def train(
    model: LanguageModel,
    optimizer: Optimizer,
    state: LoopState,
    prompts: Prompts,
    training_set: TrainingSet,
    key: jax.Array,
    *,
    epochs: int,
    batch_size: int,
) -> LoopState:
    """Train on the selected completions for one round.

    **Arguments:**

    - `model`: the model.
    - `optimizer`: how it is updated.
    - `state`: before the round; its parameters and optimiser state are given up.
    - `prompts`, `training_set`: what to train on.
    - `key`: randomness of the order.
    - `epochs`: passes over the prompts.
    - `batch_size`: examples a step, at most the number of prompts; a pass leaves out the
        remainder, another one each time.

    **Returns:** the state after the round.

    **Raises:** `NotFinite` if a loss is NaN or infinite.
    """
    tokens, mask = training_set
    params, opt_state = state.params, state.opt_state
    losses = []
    for epoch in range(epochs):
        order = np.asarray(jax.random.permutation(jax.random.fold_in(key, epoch), len(prompts)))
        for start in range(0, len(order) - batch_size + 1, batch_size):
            rows = order[start : start + batch_size]
            batch = TokenBatch(prompts.batch.tokens[rows], prompts.batch.mask[rows])
            examples = Examples(batch, tokens[rows], mask[rows])
            params, opt_state, loss = update(model, optimizer, params, opt_state, examples)
            losses.append(loss)
    # Looked at once a round: reading each loss as it comes would make every step wait for it.
    if not np.isfinite(np.asarray(losses)).all():
        raise NotFinite(state.round_index, "a training loss")
    return state._replace(params=params, opt_state=opt_state, round_index=state.round_index + 1)
