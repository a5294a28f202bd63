"""Where arrays with rows lie on the mesh that is set; outside of a mesh nothing is said.

Activations are cut by rows, and by nothing else, wherever a layer begins. Parameters cut along
`fsdp` leave the compiler a choice: gather the weights, or cut the activations likewise and exchange
those. Left to itself it takes the second for wide models, which exchanges far more; so each layer
says where its input lies. Keys and values that outlive a layer are cut by their heads as well.
"""

from __future__ import annotations

import math

import jax
from jax.sharding import Mesh, NamedSharding, get_abstract_mesh
from jax.sharding import PartitionSpec as P
from jaxtyping import Array

from jaxgap.sharding.layout import PLACES, partition


def by_rows(x: Array) -> Array:
    """The array, cut by its first axis over the rows' part of the mesh that is set, if any."""
    if get_abstract_mesh().empty:
        return x
    return jax.lax.with_sharding_constraint(x, P(PLACES["batch"]))


def by_rows_and_heads(x: Array) -> Array:
    """Keys or values, `rows kv_heads ...`, cut by both over the mesh that is set, if any."""
    return _cut(x, ("batch", "kv_heads"))


def by_heads(x: Array) -> Array:
    """Keys or values, `rows kv_heads ...`, all rows on every device, but cut by heads."""
    return _cut(x, (None, "kv_heads"))


def by_rows_and_words(x: Array) -> Array:
    """Logits, `rows vocab`, cut by both over the mesh that is set, if any."""
    return _cut(x, ("batch", "vocab"))


def by_vocabulary(x: Array) -> Array:
    """An embedding, `vocab hidden`, gathered along `fsdp` as a layer's weights are."""
    return _cut(x, ("vocab", None))


def _cut(x: Array, names: tuple[str | None, str | None]) -> Array:
    mesh = get_abstract_mesh()
    if mesh.empty:
        return x
    place = partition(mesh, names, x.shape[:2], x.shape[1])
    return jax.lax.with_sharding_constraint(x, place)


def whole(x: Array) -> Array:
    """The array, whole on every device of the mesh that is set, if any."""
    return x if get_abstract_mesh().empty else jax.lax.with_sharding_constraint(x, P())


def rows_sharding(mesh: Mesh, axis: int = 0) -> NamedSharding:
    """Where an array lies whose rows are counted by this axis."""
    return NamedSharding(mesh, P(*(None,) * axis, PLACES["batch"]))


def num_row_shards() -> int:
    """How many parts rows are cut into on the mesh that is set; 1 outside of a mesh."""
    mesh = get_abstract_mesh()
    return 1 if mesh.empty else math.prod(mesh.shape[axis] for axis in PLACES["batch"])


def even_rows(count: int) -> int:
    """The least number of rows, at least `count`, that the mesh that is set cuts evenly.

    >>> even_rows(5)
    5
    """
    return -(-count // num_row_shards()) * num_row_shards()
