"""The decoder's forward pass over packed rows, without a cache; optionally rematerialised."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float, Int

from jaxgap.models import AttentionInputs, Decoder, DecoderConfig, rotary_angles
from jaxgap.sharding import shard_rows


@dataclasses.dataclass(frozen=True)
class Computation:
    """How the forward and backward passes run; hashable, so static under `jax.jit`.

    **Fields:**

    - `dtype`: floating type of activations and products. Parameters and moments keep their own type
        (float32, as loaded); logits, softmaxes and gradient sums are float32.
    - `remat_policy`: what each layer saves for the backward pass instead of recomputing it: one of
        `jax.checkpoint_policies` (`nothing_saveable` saves only the layer's input), or None to save
        everything. Smaller microbatches save as much memory and recompute nothing. With a policy
        the layers run as one scan over their stacked parameters, which costs a copy of them and
        compiles a program of one layer's size: the choice for deep models on accelerators.
    """

    dtype: Any = np.dtype(np.float32)
    remat_policy: Callable[..., Any] | None = None


def packed_attention_inputs(
    config: DecoderConfig, segments: Int[Array, "batch seq"]
) -> AttentionInputs:
    """Rotary angles and mask for rows of several texts, each attending only to itself.

    **Arguments:**

    - `config`: the decoder's shape.
    - `segments`: which text each token belongs to; tokens of a text are contiguous.
    """
    batch, seq = segments.shape
    index = jnp.arange(seq)
    same = segments[:, :, None] == segments[:, None, :]
    lengths, firsts = same.sum(2), jnp.argmax(same, axis=2)
    # One row per token, so that length-dependent scaling sees the text's length, not the row's.
    angles = rotary_angles(config, (index - firsts).reshape(-1, 1), lengths.reshape(-1))
    cosines, sines = (part.reshape(batch, seq, 1, -1) for part in angles)
    back = index[:, None] - index[None, :]
    mask = same & (back >= 0)
    if config.sliding_window is not None:
        mask &= back < config.sliding_window
    return AttentionInputs(cosines, sines, mask)


def packed_hidden_states(
    decoder: Decoder,
    x: Float[Array, "batch seq hidden"],
    segments: Int[Array, "batch seq"],
    remat_policy: Callable[..., Any] | None,
) -> Float[Array, "batch seq hidden"]:
    """Hidden states of packed rows, ready for the unembedding.

    **Arguments:**

    - `decoder`: the decoder with its parameters.
    - `x`: the input of the first layer: embeddings of texts packed end to end.
    - `segments`: which text of its row each token belongs to.
    - `remat_policy`: as in :class:`Computation`.
    """
    inputs = packed_attention_inputs(decoder.config, segments)
    if remat_policy is None:
        for layer, block in enumerate(decoder.blocks):
            x, _ = block(x, inputs, None, layer)
    else:
        x = _scanned(decoder, x, inputs, remat_policy)
    return decoder.norm(shard_rows(x))


def _scanned(
    decoder: Decoder,
    x: Float[Array, "batch seq hidden"],
    inputs: AttentionInputs,
    remat_policy: Callable[..., Any],
) -> Float[Array, "batch seq hidden"]:
    """The layers as a scan over their stacked parameters, each rematerialised when needed.

    If the layers were unrolled, XLA's CSE would merge the recomputation with the first computation.
    """
    graphdefs, states = zip(
        *(nnx.split(block, graph=True) for block in decoder.blocks), strict=True
    )
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *map(nnx.to_pure_dict, states))

    def run(x, params):
        # Without a cache a block ignores its layer index.
        return nnx.merge(graphdefs[0], params)(x, inputs, None, 0)[0], None

    layer = jax.checkpoint(run, policy=remat_policy, prevent_cse=False)
    return jax.lax.scan(layer, x, stacked)[0]
