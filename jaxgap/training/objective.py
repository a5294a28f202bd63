"""What training lowers, and its gradient: sums over microbatches, in the memory of one of them."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from jaxgap.models import Decoder, LanguageModel, Params, join_adapters
from jaxgap.training.batch import TrainingBatch
from jaxgap.training.loss import cross_entropy
from jaxgap.training.forward import Computation, packed_hidden_states
from jaxgap.training.products import dot_general


@functools.partial(jax.jit, static_argnames=("model", "computation"))
def training_loss(
    model: LanguageModel,
    params: Params,
    batch: TrainingBatch,
    computation: Computation = Computation(),
) -> Float[Array, ""]:
    """Mean total negative log-likelihood of the completions in nats, the prompts masked out.

    On freshly selected completions this is the verifier's uncertainty `U_v`, which the paper
    minimises (arXiv:2507.00075).

    **Arguments:**

    - `model`: the decoder.
    - `params`: its parameters, adapters included.
    - `batch`: the completions.
    - `computation`: how the pass is run.
    """
    loss = functools.partial(_microbatch_loss, model, computation, params, {})
    return _sum_over_microbatches(loss, batch, jnp.float32(0))


def loss_and_gradients(
    model: LanguageModel,
    computation: Computation,
    trainable: Params,
    frozen: Params,
    batch: TrainingBatch,
) -> tuple[Float[Array, ""], Params]:
    """:func:`training_loss` and its gradients by `trainable`."""
    of_microbatch = jax.value_and_grad(
        lambda params, batch: _microbatch_loss(model, computation, params, frozen, batch)
    )
    zeros = (jnp.float32(0), jax.tree.map(jnp.zeros_like, trainable))
    return _sum_over_microbatches(functools.partial(of_microbatch, trainable), batch, zeros)


def _sum_over_microbatches(function: Callable, batch: TrainingBatch, zeros: Any) -> Any:
    """Add up a function of each microbatch; those without a token come last, and are not run."""
    num_microbatches = jnp.asarray(batch.segments).any((1, 2)).sum()

    def add(index, total):
        microbatch = (jax.lax.dynamic_index_in_dim(field, index, 0, False) for field in batch)
        return jax.tree.map(jnp.add, total, function(TrainingBatch(*microbatch)))

    return jax.lax.fori_loop(0, num_microbatches, add, zeros)


def _microbatch_loss(
    model: LanguageModel,
    computation: Computation,
    trainable: Params,
    frozen: Params,
    batch: TrainingBatch,
) -> Float[Array, ""]:
    params = jax.tree.map(
        lambda leaf: leaf.astype(computation.dtype), join_adapters(frozen, trainable)
    )
    decoder = nnx.merge(model.graphdef, params)
    decoder.set_attributes(nnx.Linear, dot_general=dot_general)
    hidden = packed_hidden_states(decoder, batch.tokens, batch.segments, computation.remat_policy)
    at_targets = jnp.take_along_axis(hidden, batch.target_positions[..., None], axis=1)
    kernel = decoder.unembedding_kernel()
    return cross_entropy(at_targets, kernel, batch.targets, batch.weights)
