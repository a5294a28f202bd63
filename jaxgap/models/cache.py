"""The key-value cache: an explicit pytree that goes into a forward pass and comes out longer.

It is preallocated, and carried through decode loops, where XLA updates it in place: one buffer a
layer, so that no layer is cut out of a larger one, with the slots of a head side by side, as the
products of attention read them. Rows of unequal length are padded anywhere (usually on the left);
`valid` says which slots hold a real token, and the position of a token is the number of real tokens
before it, so padding changes no result.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from jaxgap.models.config import DecoderConfig

LayerBuffer = Float[Array, "batch kv_heads slots head_dim"]


class KVCache(NamedTuple):
    """Keys and values of the tokens read so far.

    **Fields:**

    - `keys`: rotated keys, one buffer a layer.
    - `values`: values likewise.
    - `valid`: which slots hold a real token.
    - `length`: number of slots in use, counted from the left, padding included.
    """

    keys: tuple[LayerBuffer, ...]
    values: tuple[LayerBuffer, ...]
    valid: Bool[Array, "batch slots"]
    length: Int[Array, ""]

    def extended(
        self, layer: int, key: LayerBuffer, value: LayerBuffer
    ) -> tuple[KVCache, LayerBuffer, LayerBuffer]:
        """Write new keys and values of one layer after those in use.

        **Returns:** the cache, whose `length` stays, and the layer's whole buffers.
        """
        keys = _written(self.keys[layer], key, self.length)
        values = _written(self.values[layer], value, self.length)
        cache = self._replace(
            keys=(*self.keys[:layer], keys, *self.keys[layer + 1 :]),
            values=(*self.values[:layer], values, *self.values[layer + 1 :]),
        )
        return cache, keys, values


def init_cache(
    config: DecoderConfig, batch_size: int, num_slots: int, dtype: Any = jnp.float32
) -> KVCache:
    """An empty cache with room for `num_slots` tokens in each of `batch_size` rows.

    **Arguments:**

    - `config`: the decoder's shape.
    - `batch_size`, `num_slots`: the room.
    - `dtype`: that of the parameters it will be used with.
    """
    shape = (batch_size, config.num_kv_heads, num_slots, config.head_dim)
    return KVCache(
        keys=tuple(jnp.zeros(shape, dtype) for _ in range(config.num_layers)),
        values=tuple(jnp.zeros(shape, dtype) for _ in range(config.num_layers)),
        valid=jnp.zeros((batch_size, num_slots), bool),
        length=jnp.zeros((), jnp.int32),
    )


def repeat_rows(cache: KVCache, num_repeats: int) -> KVCache:
    """Repeat each row `num_repeats` times in succession, so that candidates share a prefill."""
    keys, values, valid = jax.tree.map(
        lambda rows: jnp.repeat(rows, num_repeats, axis=0), (cache.keys, cache.values, cache.valid)
    )
    return KVCache(keys, values, valid, cache.length)


def _written(buffer: LayerBuffer, update: LayerBuffer, start: Int[Array, ""]) -> LayerBuffer:
    zero = jnp.zeros((), start.dtype)
    return jax.lax.dynamic_update_slice(buffer, update, (zero, zero, start, zero))
