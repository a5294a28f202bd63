"""The ring buffer of keys and values of generated tokens, one slot per step.

At every step all rows write to the same slot, the step modulo the ring's size, so it is one
in-place update. A row attends to the latest slots, as many as it has generated tokens, so it may
start at any step, at any position of the ring, without moving anything.

Keys of more than 64 slots are stored in blocks: on a CPU, multiplying the few queries of a row by
one wide matrix takes up to twice as long as by several of at most that width. A single block has no
block axis: it would make XLA update the keys twice.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from jaxgap.models import DecoderConfig
from jaxgap.sampling.freed_memory import replace_buffer
from jaxgap.sharding import shard_rows_and_heads

FLOAT32: Any = {"preferred_element_type": jnp.float32}
_BLOCK = 64


class Ring(NamedTuple):
    """Keys and values of the tokens that rows have generated.

    **Fields:**

    - `keys`: rotated keys, one buffer per layer, in blocks of slots, as the products read them.
    - `values`: values, one buffer per layer, with the slot axis last but one.
    - `step`: number of steps so far; the next one writes to slot `step % num_slots`.
    """

    keys: tuple[Float[Array, "rows kv_heads *blocks head_dim slots"], ...]
    values: tuple[Float[Array, "rows kv_heads slots head_dim"], ...]
    step: Int[Array, ""]

    @property
    def num_slots(self) -> int:
        """Number of steps that the ring stores."""
        return self.values[0].shape[2]

    def elapsed(self, num_slots: int) -> Int[Array, " slots"]:
        """How many steps ago each slot of a ring of this size was last written; 0 is the latest."""
        return (self.step - 1 - jnp.arange(num_slots)) % num_slots

    def written(
        self,
        layer: int,
        key: Float[Array, "rows kv_heads 1 head_dim"],
        value: Float[Array, "rows kv_heads 1 head_dim"],
    ) -> Ring:
        """Write one layer's keys and values to the slot of the latest step."""
        zero = jnp.zeros_like(self.step)
        slot = (self.step - 1) % self.num_slots
        block, offset = jnp.divmod(slot, self.keys[layer].shape[-1])
        if self.keys[layer].ndim == 4:
            update, start = key.swapaxes(2, 3), (zero, zero, zero, offset)
        else:
            update, start = key[..., None], (zero, zero, block, zero, offset)
        keys = jax.lax.dynamic_update_slice(self.keys[layer], update, start)
        values = jax.lax.dynamic_update_slice(self.values[layer], value, (zero, zero, slot, zero))
        return self._replace(
            keys=(*self.keys[:layer], keys, *self.keys[layer + 1 :]),
            values=(*self.values[:layer], values, *self.values[layer + 1 :]),
        )

    def scores(
        self, layer: int, query: Float[Array, "rows kv_heads queries head_dim"]
    ) -> Float[Array, "rows kv_heads queries slots"]:
        """The products of each row's queries with its keys in one layer."""
        keys = self.keys[layer]
        if keys.ndim == 4:
            return jnp.einsum("rkqd,rkds->rkqs", query, keys, **FLOAT32)
        by_block = jnp.broadcast_to(query[:, :, None], (*keys.shape[:3], *query.shape[2:]))
        found = jnp.einsum("rkbqd,rkbds->rkbqs", by_block, keys, **FLOAT32)
        return found.swapaxes(2, 3).reshape(*query.shape[:3], self.num_slots)


def ring_shapes(
    config: DecoderConfig,
    num_rows: int,
    num_slots: int,
    dtype: Any,
    sharding: jax.sharding.Sharding | None = None,
) -> Ring:
    """The shapes of a ring's arrays, with the given sharding, if any."""
    heads = (num_rows, config.num_kv_heads)
    shape: Any = functools.partial(jax.ShapeDtypeStruct, sharding=sharding)
    num_blocks = _num_blocks(num_slots)
    blocks = () if num_blocks == 1 else (num_blocks,)
    key = shape((*heads, *blocks, config.head_dim, num_slots // num_blocks), dtype)
    value = shape((*heads, num_slots, config.head_dim), dtype)
    step = shape((), jnp.int32)
    return Ring((key,) * config.num_layers, (value,) * config.num_layers, step)


def _num_blocks(num_slots: int) -> int:
    """The smallest number of equal blocks of at most `_BLOCK` slots."""
    return next(n for n in range(-(-num_slots // _BLOCK), num_slots + 1) if num_slots % n == 0)


def init_ring(shapes: Ring) -> Ring:
    """An empty ring of these shapes."""
    keys, values = jax.tree.map(_zeros, (shapes.keys, shapes.values))
    return Ring(keys, values, jnp.zeros((), jnp.int32, device=shapes.step.sharding))


def _zeros(shape: jax.ShapeDtypeStruct) -> Array:
    if shape.sharding is not None:
        return jnp.zeros(shape.shape, shape.dtype, device=shape.sharding)
    return _sharded_zeros(shape.shape, shape.dtype)


@functools.partial(jax.jit, static_argnums=(0, 1))
def _sharded_zeros(shape: tuple[int, ...], dtype: Any) -> Array:
    """Zeros created shard by shard: a whole layer may be too large for one device."""
    return shard_rows_and_heads(jnp.zeros(shape, dtype))


def rearranged_ring(ring: Ring, rows: Int[np.ndarray, " kept"] | None, num_slots: int) -> Ring:
    """The given rows in this order, or all, in a ring of `num_slots`, not fewer than before.

    One layer is copied at a time and the old one deleted, so at most one layer is in memory twice.
    """
    sources = (ring.step - 1 - ring.elapsed(num_slots)) % ring.num_slots

    def take(buffer: Array, taken: Callable[..., Array]) -> Array:
        return replace_buffer(buffer, taken(buffer, rows, sources))

    keys = tuple(take(buffer, _taken_keys) for buffer in ring.keys)
    values = tuple(take(buffer, _taken_values) for buffer in ring.values)
    return Ring(keys, values, ring.step)


@jax.jit
def _taken_values(values: Array, rows: Array | None, slots: Array) -> Array:
    taken = values if rows is None else jnp.take(values, rows, axis=0)
    return shard_rows_and_heads(jnp.take(taken, slots, axis=2))


@jax.jit
def _taken_keys(keys: Array, rows: Array | None, slots: Array) -> Array:
    blocks = keys if keys.ndim == 5 else keys[:, :, None]
    taken = blocks if rows is None else jnp.take(blocks, rows, axis=0)
    width = taken.shape[-1]
    by_block = slots.reshape(_num_blocks(len(slots)), -1)
    # Advanced indices on the third and the fifth axis: the indexed axes come first.
    found = taken[:, :, by_block // width, :, by_block % width].transpose(2, 3, 0, 4, 1)
    return shard_rows_and_heads(found if len(by_block) > 1 else found[:, :, 0])
