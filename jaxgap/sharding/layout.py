"""From the names of an array's axes to its place on the mesh.

An axis is cut where its name says, if its size allows it: one that does not divide evenly is whole
on every device, which costs memory but no correctness. The widths of heads are cut between heads
only, so whether they divide is asked of the number of heads; and queries are cut only where the
keys that they look at are, so that every group of heads stays on one device.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jax.sharding import AbstractMesh, Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

PLACES: Mapping[str, tuple[str, ...]] = {
    "batch": ("data", "fsdp"),
    "embed": ("fsdp",),
    "heads": ("tensor",),
    "kv_heads": ("tensor",),
    "mlp": ("tensor",),
    "vocab": ("tensor",),
}
"""The mesh axes that each named axis is cut along; other names are whole everywhere."""


def partition(
    mesh: Mesh | AbstractMesh,
    names: tuple[str | None, ...],
    shape: tuple[int, ...],
    num_kv_heads: int,
) -> P:
    """Which mesh axes each axis of an array is cut along.

    **Arguments:**

    - `mesh`: with the axes of :data:`jaxgap.sharding.MESH_AXES`.
    - `names`: of the array's axes.
    - `shape`: their sizes.
    - `num_kv_heads`: of the decoder, which bounds how attention may be cut.

    **Returns:** one entry for each of `names`; `None` where an axis stays whole, as do those that
    the mesh does not divide.
    """

    def place(name: str | None, size: int) -> tuple[str, ...] | None:
        axes = PLACES.get(name or "", ())
        parts = 1
        for axis in axes:
            parts *= mesh.shape[axis]
        divides = num_kv_heads if name in ("heads", "kv_heads") else size
        return axes if parts > 1 and divides % parts == 0 else None

    return P(*map(place, names, shape))


def named_sharding(mesh: Mesh, names: Any, shape: tuple[int, ...], num_kv_heads: int) -> Any:
    """The sharding of an array on `mesh`; arguments as for :func:`partition`."""
    return NamedSharding(mesh, partition(mesh, names, shape, num_kv_heads))
