"""The ring of keys and values that rows generate, one slot a step.

At every step all rows write to the same slot, that of the step's number modulo the ring's size,
which is one update in place. A row attends to the latest slots, as many as it has generated tokens,
so it may begin at any step, in any phase of the ring, without anything being moved.

Keys of more than 64 slots lie in blocks: on a CPU the few queries of a row take up to twice as long
to be multiplied with one wide matrix as with several that are no wider than that. There is no axis
for a single block: it would have XLA update the keys twice.
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

    - `keys`: rotated keys, one buffer a layer, in blocks of slots, as the products read them.
    - `values`: values likewise, the slots last but one.
    - `step`: number of steps so far; the next one writes to slot `step % num_slots`.
    """

    keys: tuple[Float[Array, "rows kv_heads *blocks head_dim slots"], ...]
    values: tuple[Float[Array, "rows kv_heads slots head_dim"], ...]
    step: Int[Array, ""]

    @property
    def num_slots(self) -> int:
        """Number of steps that it remembers."""
        return self.values[0].shape[2]

    def elapsed(self, num_slots: int) -> Int[Array, " slots"]:
        """How many steps ago each slot of a ring of this size was last written: 0 the latest."""
        return (self.step - 1 - jnp.arange(num_slots)) % num_slots

    def written(
        self,
        layer: int,
        key: Float[Array, "rows kv_heads 1 head_dim"],
        value: Float[Array, "rows kv_heads 1 head_dim"],
    ) -> Ring:
        """Put one layer's keys and values into the slot of the latest step."""
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
        """The products of each row's queries with its keys of one layer."""
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
    """The arrays of a ring as shapes; bound to where `sharding` says, if it does."""
    heads = (num_rows, config.num_kv_heads)
    shape: Any = functools.partial(jax.ShapeDtypeStruct, sharding=sharding)
    num_blocks = _num_blocks(num_slots)
    blocks = () if num_blocks == 1 else (num_blocks,)
    key = shape((*heads, *blocks, config.head_dim, num_slots // num_blocks), dtype)
    value = shape((*heads, num_slots, config.head_dim), dtype)
    step = shape((), jnp.int32)
    return Ring((key,) * config.num_layers, (value,) * config.num_layers, step)


def _num_blocks(num_slots: int) -> int:
    """The fewest of equal size that are not too wide."""
    return next(n for n in range(-(-num_slots // _BLOCK), num_slots + 1) if num_slots % n == 0)


def init_ring(shapes: Ring) -> Ring:
    """A ring of these shapes that remembers nothing yet."""
    keys, values = jax.tree.map(_zeros, (shapes.keys, shapes.values))
    return Ring(keys, values, jnp.zeros((), jnp.int32, device=shapes.step.sharding))


def _zeros(shape: jax.ShapeDtypeStruct) -> Array:
    if shape.sharding is not None:
        return jnp.zeros(shape.shape, shape.dtype, device=shape.sharding)
    return _sharded_zeros(shape.shape, shape.dtype)


@functools.partial(jax.jit, static_argnums=(0, 1))
def _sharded_zeros(shape: tuple[int, ...], dtype: Any) -> Array:
    """Made shard by shard: a whole layer may be too large for a device."""
    return shard_rows_and_heads(jnp.zeros(shape, dtype))


def rearranged_ring(ring: Ring, rows: Int[np.ndarray, " kept"] | None, num_slots: int) -> Ring:
    """Some rows of a ring in the order given, or all, in a ring of as many slots or more.

    One layer is taken at a time and the old one deleted, so that no more than a layer is in memory
    twice.
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
    # An index of the third axis and one of the fifth: what they index comes first.
    found = taken[:, :, by_block // width, :, by_block % width].transpose(2, 3, 0, 4, 1)
    return shard_rows_and_heads(found if len(by_block) > 1 else found[:, :, 0])
