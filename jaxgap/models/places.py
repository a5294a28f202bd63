"""Where tokens stand, what they see, and the attention that follows from it."""

from __future__ import annotations

from typing import NamedTuple, Protocol, Self

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from jaxgap.models.config import DecoderConfig
from jaxgap.models.rope import rotary_angles

LayerBuffer = Float[Array, "batch kv_heads slots head_dim"]


class Places(NamedTuple):
    """Where the tokens of a forward pass stand, the same for every layer.

    **Fields:**

    - `cosines`, `sines`: of their rotary angles.
    - `mask`: which slots each token sees.
    """

    cosines: Float[Array, "batch seq 1 half"]
    sines: Float[Array, "batch seq 1 half"]
    mask: Bool[Array, "batch seq slots"]


class Cache(Protocol):
    """What a forward pass asks of a cache of earlier tokens."""

    def place(
        self, config: DecoderConfig, token_mask: Bool[Array, "batch seq"]
    ) -> tuple[Places, Self]:
        """Where new tokens stand, and the cache with room taken for them."""
        ...

    def attend(
        self,
        layer: int,
        query: Float[Array, "batch seq heads head_dim"],
        key: LayerBuffer,
        value: LayerBuffer,
        mask: Bool[Array, "batch seq slots"],
    ) -> tuple[Float[Array, "batch seq heads head_dim"], Self]:
        """Attention of new tokens to those cached and each other, and the cache with them added."""
        ...


def place(
    config: DecoderConfig,
    token_mask: Bool[Array, "batch seq"],
    valid: Bool[Array, "batch slots"],
    start: Int[Array, ""] | int,
) -> Places:
    """Positions and mask of new tokens.

    **Arguments:**

    - `config`: rotary embedding and window.
    - `token_mask`: which of the new tokens are real.
    - `valid`: which slots hold a real token, those of the new ones included.
    - `start`: the slot of the first new one.
    """
    num_before = valid.sum(1, keepdims=True) - token_mask.sum(1, keepdims=True)
    positions = num_before + jnp.maximum(jnp.cumsum(token_mask, axis=1) - 1, 0)
    cosines, sines = rotary_angles(config, positions, valid.sum(1))
    causal = jnp.arange(valid.shape[1]) <= start + jnp.arange(token_mask.shape[1])[:, None]
    mask = causal[None] & valid[:, None, :]
    if config.sliding_window is not None and config.sliding_window < valid.shape[1]:
        mask &= _within(config.sliding_window, positions, valid)
    return Places(cosines, sines, mask)


def _within(
    window: int, positions: Int[Array, "batch seq"], valid: Bool[Array, "batch slots"]
) -> Bool[Array, "batch seq slots"]:
    """Which slots are fewer than `window` real tokens back."""
    slot_positions = jnp.cumsum(valid, axis=1) - 1
    return slot_positions[:, None, :] > positions[:, :, None] - window


def attend(
    query: Float[Array, "batch seq heads head_dim"],
    key: LayerBuffer,
    value: LayerBuffer,
    mask: Bool[Array, "batch seq slots"],
) -> Float[Array, "batch seq heads head_dim"]:
    """Scaled dot-product attention, the softmax in float32.

    Query heads share key-value heads in equal groups, so no key is repeated.
    """
    batch, seq, num_heads, head_dim = query.shape
    num_kv_heads = key.shape[1]
    grouped = query.reshape(batch, seq, num_kv_heads, num_heads // num_kv_heads, head_dim)
    scores = jnp.einsum("btkgd,bksd->bkgts", grouped, key, preferred_element_type=jnp.float32)
    # The most negative finite number, not -inf: a row of padding attends to nothing, without NaN.
    masked = jnp.where(mask[:, None, None], scores / head_dim**0.5, jnp.finfo(scores.dtype).min)
    weights = jax.nn.softmax(masked, axis=-1).astype(value.dtype)
    mixed = jnp.einsum("bkgts,bksd->btkgd", weights, value)
    return mixed.reshape(batch, seq, num_heads, head_dim)
