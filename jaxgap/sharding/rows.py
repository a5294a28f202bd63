"""Activations are cut by rows, and by nothing else, wherever a layer begins.

Parameters cut along `fsdp` leave the compiler a choice: gather the weights, or cut the activations
likewise and exchange those. Left to itself it takes the second for wide models, which exchanges far
more; so each layer says where its input lies. Outside of a mesh nothing is said.
"""

from __future__ import annotations

import math

import jax
from jax.sharding import Mesh, NamedSharding, get_abstract_mesh
from jax.sharding import PartitionSpec as P
from jaxtyping import Array

from jaxgap.sharding.layout import PLACES


def by_rows(x: Array) -> Array:
    """The array, cut by its first axis over the rows' part of the mesh that is set, if any."""
    if get_abstract_mesh().empty:
        return x
    return jax.lax.with_sharding_constraint(x, P(PLACES["batch"]))


def rows_sharding(mesh: Mesh, axis: int = 0) -> NamedSharding:
    """Where an array lies whose rows are counted by this axis."""
    return NamedSharding(mesh, P(*(None,) * axis, PLACES["batch"]))


def num_row_shards() -> int:
    """How many parts rows are cut into on the mesh that is set; 1 outside of a mesh."""
    mesh = get_abstract_mesh()
    return 1 if mesh.empty else math.prod(mesh.shape[axis] for axis in PLACES["batch"])
