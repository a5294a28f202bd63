"""Logical axis rules: from the names of an array's axes to a `PartitionSpec` on the mesh.

An axis is sharded along the mesh axes that its name maps to if its size allows it. An axis that
does not divide evenly is replicated, which costs memory but stays correct. Head axes are split only
between heads, so the number of heads must divide; and query heads are sharded only if the key heads
they attend to are, so that every group of heads stays on one device.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jax.sharding import AbstractMesh, Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

LOGICAL_AXIS_RULES: Mapping[str, tuple[str, ...]] = {
    "batch": ("data", "fsdp"),
    "embed": ("fsdp",),
    "heads": ("tensor",),
    "kv_heads": ("tensor",),
    "mlp": ("tensor",),
    "vocab": ("tensor",),
}
"""The mesh axes that each named axis is sharded along; axes of other names are replicated."""


def partition(
    mesh: Mesh | AbstractMesh,
    names: tuple[str | None, ...],
    shape: tuple[int, ...],
    num_kv_heads: int,
) -> P:
    """The mesh axes that each axis of an array is sharded along.

    **Arguments:**

    - `mesh`: a mesh with the axes :data:`jaxgap.sharding.MESH_AXES`.
    - `names`: names of the array's axes.
    - `shape`: their sizes.
    - `num_kv_heads`: number of key heads of the decoder, which limits how attention is sharded.

    **Returns:** one entry for each of `names`; `None` for replicated axes, including those that the
    mesh does not divide evenly.
    """

    def mesh_axes(name: str | None, size: int) -> tuple[str, ...] | None:
        axes = LOGICAL_AXIS_RULES.get(name or "", ())
        parts = 1
        for axis in axes:
            parts *= mesh.shape[axis]
        divides = num_kv_heads if name in ("heads", "kv_heads") else size
        return axes if parts > 1 and divides % parts == 0 else None

    return P(*map(mesh_axes, names, shape))


def named_sharding(mesh: Mesh, names: Any, shape: tuple[int, ...], num_kv_heads: int) -> Any:
    """The sharding of an array on `mesh`; arguments as for :func:`partition`."""
    return NamedSharding(mesh, partition(mesh, names, shape, num_kv_heads))
