"""The key-value cache: an explicit pytree that each forward pass takes and returns extended.

It is preallocated and carried through decode loops, where XLA updates it in place. Each layer has
its own buffer, so that none is sliced out of a larger one, with the slots of a head contiguous, as
the attention products read them. Rows of unequal length may be padded anywhere (usually on the
left); `valid` marks the slots with real tokens, and the position of a token is the number of real
tokens before it, so padding changes no result.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.core import Tracer
from jaxtyping import Array, Bool, Float, Int

from jaxgap.models.attention import attend
from jaxgap.models.attention_inputs import AttentionInputs, LayerBuffer, attention_inputs
from jaxgap.models.config import DecoderConfig
from jaxgap.sharding import shard_rows, shard_rows_and_heads


class KVCache(NamedTuple):
    """Keys and values of the tokens read so far.

    **Fields:**

    - `keys`: rotated keys, one buffer per layer.
    - `values`: values likewise.
    - `valid`: which slots contain a real token.
    - `length`: number of slots in use, counted from the left, including padding.
    """

    keys: tuple[LayerBuffer, ...]
    values: tuple[LayerBuffer, ...]
    valid: Bool[Array, "batch slots"]
    length: Int[Array, ""]

    def reserve(
        self, config: DecoderConfig, token_mask: Bool[Array, "batch seq"]
    ) -> tuple[AttentionInputs, KVCache]:
        """Attention inputs of new tokens, and the cache with the next slots reserved for them.

        **Raises:** `ValueError` if the slots do not suffice. Under a transformation such as
        `jax.jit`, where `length` is traced, only more tokens than all slots raise; the caller must
        see that earlier ones leave room, or the latest slots are overwritten. A runtime check would
        keep every program that has a cache out of the persistent compilation cache.
        """
        self._require_room(token_mask.shape[1])
        valid = jax.lax.dynamic_update_slice(
            self.valid, token_mask, (jnp.zeros_like(self.length), self.length)
        )
        inputs = attention_inputs(config, token_mask, valid, self.length)
        return inputs, self._replace(valid=valid, length=self.length + token_mask.shape[1])

    def _require_room(self, num_tokens: int) -> None:
        num_slots = self.valid.shape[1]
        used = 0 if isinstance(self.length, Tracer) else int(self.length)
        if used + num_tokens > num_slots:
            raise ValueError(
                f"cache must have a slot for each new token, got {num_tokens} of them with {used} "
                f"of {num_slots} slots in use: take more num_slots in init_cache"
            )

    def attend(
        self,
        layer: int,
        query: Float[Array, "batch seq heads head_dim"],
        key: LayerBuffer,
        value: LayerBuffer,
        mask: Bool[Array, "batch seq slots"],
    ) -> tuple[Float[Array, "batch seq heads head_dim"], KVCache]:
        """Write one layer's keys and values into the last slots in use, and attend to all.

        **Raises:** `ValueError` if their floating type is not that of the cache.
        """
        if key.dtype != self.keys[layer].dtype:
            raise ValueError(
                f"params must have one floating type, that of the cache, {self.keys[layer].dtype}; "
                f"got keys in {key.dtype}"
            )
        start = self.length - key.shape[2]
        keys = _written(self.keys[layer], key, start)
        values = _written(self.values[layer], value, start)
        cache = self._replace(
            keys=(*self.keys[:layer], keys, *self.keys[layer + 1 :]),
            values=(*self.values[:layer], values, *self.values[layer + 1 :]),
        )
        return attend(query, keys, values, mask), cache


def init_cache(
    config: DecoderConfig, batch_size: int, num_slots: int, dtype: Any = jnp.float32
) -> KVCache:
    """An empty cache with room for `num_slots` tokens in each of `batch_size` rows.

    **Arguments:**

    - `config`: the decoder's shape.
    - `batch_size`, `num_slots`: its size.
    - `dtype`: that of the parameters it will be used with.

    **Returns:** the cache, filled with zeros that are not valid, sharded by rows and heads over the
    current mesh, if any.
    """
    shape = (batch_size, config.num_kv_heads, num_slots, config.head_dim)

    def buffers() -> tuple[LayerBuffer, ...]:
        return tuple(
            shard_rows_and_heads(jnp.zeros(shape, dtype)) for _ in range(config.num_layers)
        )

    return KVCache(
        keys=buffers(),
        values=buffers(),
        valid=shard_rows(jnp.zeros((batch_size, num_slots), bool)),
        length=jnp.zeros((), jnp.int32),
    )


def _written(buffer: LayerBuffer, update: LayerBuffer, start: Int[Array, ""]) -> LayerBuffer:
    zero = jnp.zeros((), start.dtype)
    return jax.lax.dynamic_update_slice(buffer, update, (zero, zero, start, zero))
