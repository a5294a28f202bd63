"""Keys and values of prompts, computed once each and kept while candidates need them.

Reading a prompt also gives the logits of the token after it, of which all of its candidates draw
their first token.
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from jaxgap.models import DecoderConfig, LanguageModel, Params, init_cache
from jaxgap.sampling.batch import TokenBatch
from jaxgap.sampling.freed_memory import replace_buffer
from jaxgap.sharding import shard_rows, shard_rows_and_heads, shard_rows_and_vocab


class Prefixes(NamedTuple):
    """Keys and values of prompts.

    **Fields:**

    - `keys`: rotated keys, one buffer per layer, with the slot axis last, as the products need.
    - `values`: values, one buffer per layer, with the slot axis last but one.
    - `valid`: which slots hold a real token.
    """

    keys: tuple[Float[Array, "groups kv_heads head_dim slots"], ...]
    values: tuple[Float[Array, "groups kv_heads slots head_dim"], ...]
    valid: Bool[Array, "groups slots"]

    @property
    def num_slots(self) -> int:
        """Room for the tokens of one prompt, padding included."""
        return self.valid.shape[1]


def init_prefixes(config: DecoderConfig, num_groups: int, num_slots: int, dtype: Any) -> Prefixes:
    """Empty buffers with room for one prompt per group."""
    heads = (num_groups, config.num_kv_heads)

    def buffers(*shape: int) -> tuple[Array, ...]:
        zeros = [jnp.zeros((*heads, *shape), dtype) for _ in range(config.num_layers)]
        return tuple(map(shard_rows_and_heads, zeros))

    valid = shard_rows(jnp.zeros((num_groups, num_slots), bool))
    return Prefixes(buffers(config.head_dim, num_slots), buffers(num_slots, config.head_dim), valid)


@functools.partial(jax.jit, static_argnames="model")
def prefill(
    model: LanguageModel, params: Params, prompts: TokenBatch
) -> tuple[Prefixes, Float[Array, "prompts vocab"]]:
    """Keys and values of some prompts that are padded on the left, and the logits after each."""
    dtype = jax.tree.leaves(params)[0].dtype
    num_prompts, num_slots = prompts.tokens.shape
    cache = init_cache(model.config, num_prompts, num_slots, dtype)
    hidden, cache = model.hidden_states(params, prompts.tokens, prompts.mask, cache)
    keys = tuple(shard_rows_and_heads(layer.swapaxes(2, 3)) for layer in cache.keys)
    values = jax.tree.map(shard_rows_and_heads, cache.values)
    logits = shard_rows_and_vocab(model.logits(params, hidden[:, -1]))
    return Prefixes(keys, values, shard_rows(cache.valid)), shard_rows(logits)


@functools.partial(jax.jit, donate_argnames="prefixes")
def insert_prefix(
    prefixes: Prefixes, prompts: Prefixes, prompt: Int[Array, ""], group: Int[Array, ""]
) -> Prefixes:
    """Copy one prompt of a batch into a group; the batch has as many slots as the groups."""
    return _put(prefixes, prompts, prompt, group)


@functools.partial(jax.jit, donate_argnames="prefixes")
def copy_prefix(prefixes: Prefixes, source: Int[Array, ""], group: Int[Array, ""]) -> Prefixes:
    """Copy the prefix of one group into another."""
    return _put(prefixes, prefixes, source, group)


def _put(prefixes: Prefixes, others: Prefixes, source, group) -> Prefixes:
    def put(buffer, other):
        # For a sharded buffer this moves one row, where a slice would gather all.
        row = jnp.take(other, source[None], axis=0, mode="clip")
        return jax.lax.dynamic_update_slice_in_dim(buffer, row, group, axis=0)

    return jax.tree.map(put, prefixes, others)


def rearranged_prefixes(
    prefixes: Prefixes, groups: Int[np.ndarray, " kept"] | None, num_slots: int
) -> Prefixes:
    """The given groups in this order, or all, with room for `num_slots`, not fewer than before."""

    def take(buffer: Array, slot_axis: int) -> Array:
        taken = _taken(buffer, groups, slot_axis=slot_axis, num_slots=num_slots)
        return replace_buffer(buffer, taken)

    keys = tuple(take(buffer, 3) for buffer in prefixes.keys)
    values = tuple(take(buffer, 2) for buffer in prefixes.values)
    return Prefixes(keys, values, take(prefixes.valid, 1))


@functools.partial(jax.jit, static_argnames=("slot_axis", "num_slots"))
def _taken(buffer: Array, groups: Array | None, *, slot_axis: int, num_slots: int) -> Array:
    taken = buffer if groups is None else jnp.take(buffer, groups, axis=0)
    padding = [(0, 0)] * buffer.ndim
    padding[slot_axis] = (0, num_slots - buffer.shape[slot_axis])
    taken = jnp.pad(taken, padding)
    return shard_rows_and_heads(taken) if slot_axis > 1 else shard_rows(taken)
