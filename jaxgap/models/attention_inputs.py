"""The inputs of attention besides queries, keys and values: rotary angles, a mask, and a cache."""

from __future__ import annotations

from typing import NamedTuple, Protocol, Self

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from jaxgap.models.config import DecoderConfig
from jaxgap.models.rope import rotary_angles

LayerBuffer = Float[Array, "batch kv_heads slots head_dim"]


class AttentionInputs(NamedTuple):
    """Rotary angles and mask of the tokens in a forward pass, shared by all layers.

    **Fields:**

    - `cosines`, `sines`: of the rotary angles.
    - `mask`: which slots each token attends to.
    """

    cosines: Float[Array, "batch seq 1 half"]
    sines: Float[Array, "batch seq 1 half"]
    mask: Bool[Array, "batch seq slots"]


class Cache(Protocol):
    """What a forward pass requires of a cache of earlier tokens."""

    def reserve(
        self, config: DecoderConfig, token_mask: Bool[Array, "batch seq"]
    ) -> tuple[AttentionInputs, Self]:
        """Attention inputs of new tokens, and the cache with slots reserved for them."""
        ...

    def attend(
        self,
        layer: int,
        query: Float[Array, "batch seq heads head_dim"],
        key: LayerBuffer,
        value: LayerBuffer,
        mask: Bool[Array, "batch seq slots"],
    ) -> tuple[Float[Array, "batch seq heads head_dim"], Self]:
        """Attention of new tokens to cached ones and each other, and the cache with them added."""
        ...


def attention_inputs(
    config: DecoderConfig,
    token_mask: Bool[Array, "batch seq"],
    valid: Bool[Array, "batch slots"],
    start: Int[Array, ""] | int,
) -> AttentionInputs:
    """Rotary angles and mask of new tokens.

    **Arguments:**

    - `config`: rotary embedding and window.
    - `token_mask`: which of the new tokens are real.
    - `valid`: which slots contain a real token, including those of the new tokens.
    - `start`: the slot of the first new token.
    """
    num_before = valid.sum(1, keepdims=True) - token_mask.sum(1, keepdims=True)
    positions = num_before + jnp.maximum(jnp.cumsum(token_mask, axis=1) - 1, 0)
    cosines, sines = rotary_angles(config, positions, valid.sum(1))
    causal = jnp.arange(valid.shape[1]) <= start + jnp.arange(token_mask.shape[1])[:, None]
    mask = causal[None] & valid[:, None, :]
    if config.sliding_window is not None and config.sliding_window < valid.shape[1]:
        mask &= _within(config.sliding_window, positions, valid)
    return AttentionInputs(cosines, sines, mask)


def _within(
    window: int, positions: Int[Array, "batch seq"], valid: Bool[Array, "batch slots"]
) -> Bool[Array, "batch seq slots"]:
    """Which slots are fewer than `window` real tokens back."""
    slot_positions = jnp.cumsum(valid, axis=1) - 1
    return slot_positions[:, None, :] > positions[:, :, None] - window
