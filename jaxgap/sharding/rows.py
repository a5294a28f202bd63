"""Sharding constraints on arrays with rows; without a mesh they do nothing.

Activations are sharded by rows only wherever a layer begins. With parameters sharded along `fsdp`
the compiler has a choice: gather the weights, or shard the activations likewise and exchange those.
For wide models it would choose the latter, which exchanges far more; so each layer constrains its
input. Keys and values that outlive a layer are sharded by heads as well.
"""

from __future__ import annotations

import math

import jax
from jax.sharding import Mesh, NamedSharding, get_abstract_mesh
from jax.sharding import PartitionSpec as P
from jaxtyping import Array

from jaxgap.sharding.axis_rules import LOGICAL_AXIS_RULES, partition


def shard_rows(x: Array) -> Array:
    """Shard the first axis, the rows, over the current mesh, if any."""
    if get_abstract_mesh().empty:
        return x
    return jax.lax.with_sharding_constraint(x, P(LOGICAL_AXIS_RULES["batch"]))


def shard_rows_and_heads(x: Array) -> Array:
    """Shard both axes of keys or values, `rows kv_heads ...`, over the current mesh, if any."""
    return _shard(x, ("batch", "kv_heads"))


def shard_heads(x: Array) -> Array:
    """Shard keys or values, `rows kv_heads ...`, by heads only: every device has all rows."""
    return _shard(x, (None, "kv_heads"))


def shard_rows_and_vocab(x: Array) -> Array:
    """Shard both axes of logits, `rows vocab`, over the current mesh, if any."""
    return _shard(x, ("batch", "vocab"))


def shard_vocab(x: Array) -> Array:
    """Shard an embedding, `vocab hidden`, by tokens only: gathers along `fsdp`, as for layers."""
    return _shard(x, ("vocab", None))


def _shard(x: Array, names: tuple[str | None, str | None]) -> Array:
    mesh = get_abstract_mesh()
    if mesh.empty:
        return x
    spec = partition(mesh, names, x.shape[:2], x.shape[1])
    return jax.lax.with_sharding_constraint(x, spec)


def replicate(x: Array) -> Array:
    """Replicate an array over the current mesh, if any."""
    return x if get_abstract_mesh().empty else jax.lax.with_sharding_constraint(x, P())


def rows_sharding(mesh: Mesh, axis: int = 0) -> NamedSharding:
    """The sharding of an array with rows along the given axis."""
    return NamedSharding(mesh, P(*(None,) * axis, LOGICAL_AXIS_RULES["batch"]))


def num_row_shards() -> int:
    """Number of row shards on the current mesh; 1 without a mesh."""
    mesh = get_abstract_mesh()
    return 1 if mesh.empty else math.prod(mesh.shape[axis] for axis in LOGICAL_AXIS_RULES["batch"])


def even_rows(count: int) -> int:
    """The smallest number of rows >= `count` that divides evenly over the current mesh.

    >>> even_rows(5)
    5
    """
    return -(-count // num_row_shards()) * num_row_shards()
