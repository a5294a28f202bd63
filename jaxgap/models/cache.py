"""The key-value cache: an explicit pytree that goes into a forward pass and comes out longer.

It is preallocated, and carried through decode loops, where XLA updates it in place. Rows of
unequal length are padded anywhere (usually on the left); `valid` says which slots hold a real
token, and the position of a token is the number of real tokens before it, so padding changes no
result.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from jaxgap.models.config import DecoderConfig


class KVCache(NamedTuple):
    """Keys and values of the tokens read so far.

    **Fields:**

    - `keys`: rotated keys of every layer, slot and key-value head.
    - `values`: values likewise.
    - `valid`: which slots hold a real token.
    - `length`: number of slots in use, counted from the left, padding included.
    """

    keys: Float[Array, "layers batch slots kv_heads head_dim"]
    values: Float[Array, "layers batch slots kv_heads head_dim"]
    valid: Bool[Array, "batch slots"]
    length: Int[Array, ""]


def init_cache(config: DecoderConfig, batch_size: int, num_slots: int) -> KVCache:
    """An empty cache with room for `num_slots` tokens in each of `batch_size` rows."""
    shape = (config.num_layers, batch_size, num_slots, config.num_kv_heads, config.head_dim)
    return KVCache(
        keys=jnp.zeros(shape, jnp.float32),
        values=jnp.zeros(shape, jnp.float32),
        valid=jnp.zeros((batch_size, num_slots), bool),
        length=jnp.zeros((), jnp.int32),
    )


def repeat_rows(cache: KVCache, num_repeats: int) -> KVCache:
    """Repeat each row `num_repeats` times in succession, so that candidates share a prefill."""
    return KVCache(
        keys=jnp.repeat(cache.keys, num_repeats, axis=1),
        values=jnp.repeat(cache.values, num_repeats, axis=1),
        valid=jnp.repeat(cache.valid, num_repeats, axis=0),
        length=cache.length,
    )


def write_layer(
    buffer: Float[Array, "layers batch slots kv_heads head_dim"],
    layer: int,
    start: Int[Array, ""],
    update: Float[Array, "batch seq kv_heads head_dim"],
) -> Float[Array, "layers batch slots kv_heads head_dim"]:
    """Write new keys or values of one layer at slot `start`."""
    zero = jnp.zeros((), start.dtype)
    index = (zero + layer, zero, start, zero, zero)
    return jax.lax.dynamic_update_slice(buffer, update[None], index)
