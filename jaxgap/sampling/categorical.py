"""Exact categorical sampling from one uniform number per row.

A row's token is where its uniform falls in the cumulative distribution, so it is determined by the
pair (logits, uniform), independently of the rest of the batch. The Gumbel trick of
`jax.random.categorical` would draw a random number for every token of the vocabulary, and a
cumulative sum over all of them is nearly as slow. So the distribution is inverted in two levels:
tokens are grouped into blocks, the uniform is located in the cumulative sums of the blocks'
weights, and its remainder within that one block.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from jaxgap.random_keys import threefry_key

_BLOCK = 256


def row_uniforms(
    key: jax.Array, row_ids: Int[Array, " batch"], steps: Int[Array, "batch steps"]
) -> Float[Array, "batch steps"]:
    """Uniforms in (0, 1) from one stream per row: a function of key, row id and step.

    **Arguments:**

    - `key`: the key of all rows, of any implementation.
    - `row_ids`: the stream of each row; equal ids share a stream.
    - `steps`: the positions in the stream to read.

    **Returns:** one float32 per row and step, the midpoint of one of 2^23 equal cells of (0, 1).
    """

    key = threefry_key(key)

    def stream(row_id, steps):
        row_key = jax.random.fold_in(key, row_id)
        keys = jax.vmap(lambda step: jax.random.fold_in(row_key, step))(steps)
        return jax.vmap(lambda key: jax.random.uniform(key, dtype=jnp.float32))(keys)

    # The midpoint of a cell of width 2^-23: its lower end would be zero once in 2^23 and draw the
    # vocabulary's first token, however improbable.
    return jax.vmap(stream)(row_ids, steps) + 2.0**-24


class BlockSums(NamedTuple):
    """The weights of a row's tokens, `exp((logit - largest) / temperature)`, summed by blocks.

    **Fields:**

    - `by_block`: the sum of each block.
    - `largest`: the row's largest logit.
    - `temperature`: the temperature of the weights.
    """

    by_block: Float[Array, "batch blocks"]
    largest: Float[Array, " batch"]
    temperature: Float[Array, ""] | float

    def log_total(self) -> Float[Array, " batch"]:
        """`log sum exp(logit)` of each row, at temperature 1."""
        return self.largest + jnp.log(self.by_block.sum(-1))


def block_sums(
    logits: Float[Array, "batch vocab"],
    largest: Float[Array, " batch"],
    temperature: Float[Array, ""] | float,
) -> BlockSums:
    """Sum the weights of the tokens in each block.

    **Arguments:**

    - `logits`: unnormalised log-probabilities.
    - `largest`: the largest of each row.
    - `temperature`: > 0; traced, so that changing it does not recompile.
    """
    sums = _weights(_blocks(logits), largest, temperature).sum(-1)
    # Without the barrier XLA recomputes the sums where the blocks are summed, and keeps all weights
    # for that.
    return BlockSums(jax.lax.optimization_barrier(sums), largest, temperature)


def inverse_cdf(
    logits: Float[Array, "batch vocab"], uniforms: Float[Array, " batch"], sums: BlockSums
) -> Int[Array, " batch"]:
    """Draw tokens by inverting the cumulative distribution.

    The token is the number of entries of `cumsum(softmax(logits / temperature))` that do not exceed
    the uniform, up to float32 rounding. A token with logit -inf is never drawn.

    **Arguments:**

    - `logits`: unnormalised log-probabilities.
    - `uniforms`: one number in (0, 1) per row.
    - `sums`: the block sums of the same logits, at the temperature to draw at.

    >>> logits = jnp.log(jnp.array([[1.0, 0.0, 3.0]] * 2))
    >>> sums = block_sums(logits, logits.max(-1), 1.0)
    >>> inverse_cdf(logits, jnp.array([0.2, 0.25]), sums).tolist()
    [0, 2]
    """
    ends = jnp.cumsum(sums.by_block, axis=-1)
    targets = uniforms * ends[:, -1]
    block = _first_beyond(ends, sums.by_block, targets)
    before = jnp.where(block > 0, _at(ends, jnp.maximum(block - 1, 0)), 0.0)
    # The weights of this block are recomputed, which is cheaper than storing all weights.
    blocks = _blocks(logits)
    chosen = jnp.take_along_axis(blocks, block[:, None, None], axis=1)[:, 0]
    weights = _weights(chosen, sums.largest, sums.temperature)
    token = _first_beyond(jnp.cumsum(weights, axis=-1), weights, targets - before)
    return block * blocks.shape[-1] + token


def first_largest(
    logits: Float[Array, "batch vocab"], largest: Float[Array, " batch"]
) -> Int[Array, " batch"]:
    """The first of each row's most probable tokens, found in two levels as in a draw.

    **Arguments:**

    - `logits`: unnormalised log-probabilities.
    - `largest`: the largest of each row.

    >>> logits = jnp.array([[1.0, 3.0, 3.0, 0.0]])
    >>> first_largest(logits, logits.max(-1)).tolist()
    [1]
    """
    blocks = _blocks(logits)
    block = _first(blocks.max(-1) == largest[:, None])
    chosen = jnp.take_along_axis(blocks, block[:, None, None], axis=1)[:, 0]
    token = block * blocks.shape[-1] + _first(chosen == largest[:, None])
    return jnp.minimum(token, logits.shape[-1] - 1)  # with a NaN logit, no token equals the largest


def _blocks(logits: Float[Array, "batch vocab"]) -> Float[Array, "batch blocks size"]:
    """The logits in blocks, the last one padded with tokens that are never drawn."""
    batch, vocab_size = logits.shape
    size = min(_BLOCK, vocab_size)
    padding = ((0, 0), (0, -vocab_size % size))
    return jnp.pad(logits, padding, constant_values=-jnp.inf).reshape(batch, -1, size)


def _weights(
    logits: Float[Array, "batch *parts"],
    largest: Float[Array, " batch"],
    temperature: Float[Array, ""] | float,
) -> Float[Array, "batch *parts"]:
    per_row = largest.reshape(largest.shape + (1,) * (logits.ndim - 1))
    return jnp.exp((logits - per_row) / temperature)


def _first_beyond(
    ends: Float[Array, "batch parts"],
    weights: Float[Array, "batch parts"],
    targets: Float[Array, " batch"],
) -> Int[Array, " batch"]:
    """The first part with non-zero weight that ends beyond the target; the last if none does.

    XLA computes long cumulative sums in pieces, so `ends` may decrease slightly, or increase across
    a part of weight 0; and rounding may put a target at or before the end of such a part.
    """
    numbers = jnp.arange(weights.shape[-1], dtype=jnp.int32)
    some = weights > 0
    beyond = _first(some & (ends > targets[:, None]))
    last = jnp.where(some, numbers, 0).max(-1)
    return jnp.minimum(beyond, last)


def _first(hits: Bool[Array, "batch parts"]) -> Int[Array, " batch"]:
    """The first part that is hit; the last one if none is, as with NaN logits."""
    last = hits.shape[-1] - 1
    return jnp.where(hits, jnp.arange(last + 1, dtype=jnp.int32), last).min(-1)


def _at(values: Float[Array, "batch parts"], index: Int[Array, " batch"]) -> Float[Array, " batch"]:
    return jnp.take_along_axis(values, index[:, None], axis=1)[:, 0]
