"""Causal grouped-query attention, over the tokens given and those in the cache."""

from __future__ import annotations

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Bool, Float, Int

from jaxgap.models.cache import KVCache, LayerBuffer
from jaxgap.models.config import DecoderConfig
from jaxgap.models.lora import LoraConfig, projection
from jaxgap.models.rope import rotary_angles, rotate


class Places(NamedTuple):
    """Where the tokens of a forward pass stand, the same for every layer.

    **Fields:**

    - `cosines`, `sines`: of their rotary angles.
    - `mask`: which slots each token sees.
    """

    cosines: Float[Array, "batch seq 1 half"]
    sines: Float[Array, "batch seq 1 half"]
    mask: Bool[Array, "batch seq slots"]


def place(
    config: DecoderConfig, token_mask: Bool[Array, "batch seq"], cache: KVCache | None
) -> tuple[Places, KVCache | None]:
    """Positions and mask of new tokens, and the cache with their slots marked."""
    if cache is None:
        valid, start, num_before = token_mask, 0, 0
    else:
        start, num_before = cache.length, cache.valid.sum(1, keepdims=True)
        zero = jnp.zeros((), start.dtype)
        valid = jax.lax.dynamic_update_slice(cache.valid, token_mask, (zero, start))
        cache = cache._replace(valid=valid)
    positions = num_before + jnp.maximum(jnp.cumsum(token_mask, axis=1) - 1, 0)
    cosines, sines = rotary_angles(config, positions, valid.sum(1))
    causal = jnp.arange(valid.shape[1]) <= start + jnp.arange(token_mask.shape[1])[:, None]
    mask = causal[None] & valid[:, None, :]
    if config.sliding_window is not None and config.sliding_window < valid.shape[1]:
        mask &= _within(config.sliding_window, positions, valid)
    return Places(cosines, sines, mask), cache


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


class Attention(nnx.Module):
    """Queries, keys and values of one layer, and what the tokens make of each other."""

    def __init__(self, config: DecoderConfig, lora: LoraConfig | None, *, rngs: nnx.Rngs):
        self.config = config
        query_size = config.num_heads * config.head_dim
        kv_size = config.num_kv_heads * config.head_dim
        make = functools.partial(projection, lora=lora, rngs=rngs)
        bias = config.qkv_bias
        self.query = make("query", config.hidden_size, query_size, use_bias=bias)
        self.key = make("key", config.hidden_size, kv_size, use_bias=bias)
        self.value = make("value", config.hidden_size, kv_size, use_bias=bias)
        self.output = make("output", query_size, config.hidden_size)
        if config.qk_norm:
            self.query_norm = nnx.RMSNorm(config.head_dim, epsilon=config.norm_eps, rngs=rngs)
            self.key_norm = nnx.RMSNorm(config.head_dim, epsilon=config.norm_eps, rngs=rngs)

    def __call__(
        self, x: Float[Array, "batch seq hidden"], places: Places, cache: KVCache | None, layer: int
    ) -> tuple[Float[Array, "batch seq hidden"], KVCache | None]:
        query, key = self._heads(self.query(x)), self._heads(self.key(x))
        if self.config.qk_norm:
            query, key = self.query_norm(query), self.key_norm(key)
        query = rotate(query, places.cosines, places.sines)
        key = rotate(key, places.cosines, places.sines).swapaxes(1, 2)
        value = self._heads(self.value(x)).swapaxes(1, 2)
        if cache is not None:
            cache, key, value = cache.extended(layer, key, value)
        mixed = attend(query, key, value, places.mask)
        return self.output(mixed.reshape(*x.shape[:2], -1)), cache

    def _heads(self, x: Float[Array, "batch seq size"]) -> Float[Array, "batch seq heads head_dim"]:
        return x.reshape(*x.shape[:2], -1, self.config.head_dim)
