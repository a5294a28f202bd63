"""Cross-entropy over a large vocabulary, without materialising all logits.

The loss of a position needs only the logits of that position, so positions are processed in chunks.
The backward pass would need each chunk's logits again; but the loss enters the training objective
linearly, and its gradient with respect to the logits,

    d loss / d logits = weight * (softmax(logits) - one_hot(target)),

needs nothing computed later. So the forward pass computes the gradients with respect to the hidden
states and the unembedding along with the loss, while a chunk's logits are available: three
products, none of them repeated. (The same idea is in Hsu et al., "Liger Kernel", arXiv:2410.10989.)
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from jaxgap.sharding import num_row_shards
from jaxgap.training.linear_products import weight_gradient

_MAX_LOGITS = 2**26
"""Maximum logits in a chunk per device: 256 MiB. Far fewer make products too small to be fast."""


def cross_entropy(
    hidden: Float[Array, "batch seq hidden"],
    kernel: Float[Array, "hidden vocab"],
    targets: Int[Array, "batch seq"],
    weights: Float[Array, "batch seq"],
) -> Float[Array, ""]:
    """The weighted sum of negative log-likelihoods `-w log softmax(h W)[target]`, in nats.

    **Arguments:**

    - `hidden`: hidden states `h` at the positions that predict.
    - `kernel`: the unembedding `W`.
    - `targets`: the token to predict at each.
    - `weights`: `w`, zero where nothing is predicted. Trailing positions with zero weight in every
        row cost nothing.

    **Returns:** the sum, in float32. Logits are float32 too, whatever the type of `h` and `W`.
    """
    batch, seq = targets.shape
    size = positions_at_once(batch, seq, kernel.shape[1])

    def padded(field):
        return jnp.pad(field, ((0, 0), (0, -seq % size)) + ((0, 0),) * (field.ndim - 2))

    return _chunked(size, padded(hidden), kernel, padded(targets), padded(weights))


def positions_at_once(batch: int, seq: int, vocab: int) -> int:
    """Number of positions of each row in a chunk; on a mesh every device has its own rows."""
    rows = -(-batch // num_row_shards())
    return max(1, min(seq, _MAX_LOGITS // (rows * vocab)))


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _chunked(size: int, hidden, kernel, targets, weights) -> Float[Array, ""]:
    def add(total, start, hidden, targets, weights):
        del start
        return total + (_losses(hidden, kernel, targets)[0] * weights).sum()

    return _fold(add, jnp.float32(0), size, hidden, targets, weights)


def _forward(size: int, hidden, kernel, targets, weights):
    """The loss, with its gradients as residuals."""

    def add(carry, start, hidden, targets, weights):
        total, by_hidden, by_kernel, by_weights = carry
        losses, probabilities = _losses(hidden, kernel, targets)
        hit = jnp.arange(kernel.shape[1]) == targets[..., None]
        error = ((probabilities - hit) * weights[..., None]).astype(hidden.dtype)
        return (
            total + (losses * weights).sum(),
            _write(by_hidden, start, error @ kernel.T),
            by_kernel + weight_gradient(hidden, error),
            _write(by_weights, start, losses),
        )

    zeros = (jnp.zeros_like(hidden), jnp.zeros(kernel.shape, jnp.float32), jnp.zeros_like(weights))
    total, *gradients = _fold(add, (jnp.float32(0), *zeros), size, hidden, targets, weights)
    gradients[1] = gradients[1].astype(kernel.dtype)
    return total, tuple(gradients)


def _backward(size: int, gradients, cotangent):
    del size
    by_hidden, by_kernel, by_weights = ((cotangent * part).astype(part.dtype) for part in gradients)
    return by_hidden, by_kernel, None, by_weights


_chunked.defvjp(_forward, _backward)


def _fold(add: Callable, carry: Any, size: int, *fields: Array) -> Any:
    """Fold `add` over the chunks up to the last one with a non-zero weight (the last field)."""
    counts = (fields[-1] != 0).any(0)
    num_positions = jnp.max(jnp.where(counts, jnp.arange(1, len(counts) + 1), 0))

    def step(index, carry):
        start = index * size
        chunk = (jax.lax.dynamic_slice_in_dim(field, start, size, axis=1) for field in fields)
        return add(carry, start, *chunk)

    return jax.lax.fori_loop(0, -(-num_positions // size), step, carry)


def _losses(hidden, kernel, targets):
    """Negative log-likelihoods, and the probabilities of all tokens, in float32."""
    logits = jnp.matmul(hidden, kernel, preferred_element_type=jnp.float32)
    highest = logits.max(-1, keepdims=True)
    exponentials = jnp.exp(logits - highest)
    total = exponentials.sum(-1, keepdims=True)
    picked = jnp.take_along_axis(logits, targets[..., None], axis=-1)
    return (jnp.log(total) + highest - picked)[..., 0], exponentials / total


def _write(buffer, start, chunk):
    return jax.lax.dynamic_update_slice_in_dim(buffer, chunk, start, axis=1)
