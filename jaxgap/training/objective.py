"""The training loss and its gradient, accumulated over microbatches."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float, Int

from jaxgap.models import LanguageModel, Params, join_adapters
from jaxgap.training.batch import TrainingBatch
from jaxgap.training.forward import Computation, packed_hidden_states
from jaxgap.training.linear_products import dot_general
from jaxgap.training.loss import cross_entropy


@functools.partial(jax.jit, static_argnames=("model", "computation"))
def training_loss(
    model: LanguageModel, computation: Computation, params: Params, batch: TrainingBatch
) -> Float[Array, ""]:
    """Mean total negative log-likelihood of the completions in nats, with prompts masked out.

    On freshly selected completions this is the verifier's uncertainty `U_v`, which the paper
    minimises (arXiv:2507.00075).

    **Arguments:**

    - `model`: the decoder.
    - `computation`: how the pass is run.
    - `params`: the decoder's parameters, including its adapters.
    - `batch`: the completions.

    **Returns:** a float32 scalar.
    """
    loss = functools.partial(_microbatch_loss, model, computation, {}, params)
    return _sum_over_microbatches(loss, batch, jnp.float32(0))


def loss_and_gradients(
    model: LanguageModel,
    computation: Computation,
    trainable: Params,
    frozen: Params,
    batch: TrainingBatch,
) -> tuple[Float[Array, ""], Params]:
    """:func:`training_loss` and its gradients with respect to `trainable`.

    **Arguments:**

    - `trainable`: the parameters to be trained.
    - `frozen`: the frozen parameters, `{}` if there are none.
    - the others: as for :func:`training_loss`.

    **Returns:** the loss, and a tree with the structure and floating types of `trainable`.
    """
    loss = functools.partial(_microbatch_loss, model, computation, frozen)
    of_microbatch = functools.partial(jax.value_and_grad(loss), trainable)
    zeros = (jnp.float32(0), jax.tree.map(jnp.zeros_like, trainable))
    return _sum_over_microbatches(of_microbatch, batch, zeros)


def _sum_over_microbatches(function: Callable, batch: TrainingBatch, zeros: Any) -> Any:
    """Sum a function over microbatches; those without tokens come last and are skipped."""
    num_microbatches = jnp.asarray(batch.segments).any((1, 2)).sum()

    def add(index, total):
        fields = (jax.lax.dynamic_index_in_dim(field, index, keepdims=False) for field in batch)
        return jax.tree.map(jnp.add, total, function(*fields))

    return jax.lax.fori_loop(0, num_microbatches, add, zeros)


def _microbatch_loss(
    model: LanguageModel,
    computation: Computation,
    frozen: Params,
    trainable: Params,
    tokens: Int[Array, "rows length"],
    segments: Int[Array, "rows length"],
    target_positions: Int[Array, "rows length"],
    targets: Int[Array, "rows length"],
    weights: Float[Array, "rows length"],
) -> Float[Array, ""]:
    joined = join_adapters(frozen, trainable)
    # Looked up in the embedding's own type, so that the gradients of all occurrences of a token are
    # summed in it: a bf16 sum of equal terms stops growing at 256 of them.
    embedded = model.decoder(joined).embed(tokens).astype(computation.dtype)
    params = jax.tree.map(lambda leaf: leaf.astype(computation.dtype), joined)
    decoder = model.decoder(params)
    decoder.set_attributes(nnx.Linear, dot_general=dot_general)
    hidden = packed_hidden_states(decoder, embedded, segments, computation.remat_policy)
    at_targets = jnp.take_along_axis(hidden, target_positions[..., None], axis=1)
    return cross_entropy(at_targets, decoder.unembedding_kernel(), targets, weights)
