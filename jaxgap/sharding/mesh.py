"""The mesh: devices arranged along three axes, each with one role.

`data` replicates the parameters and shards rows. `fsdp` shards both parameters and rows: a layer's
weights are all-gathered while it is computed, and its gradients reduce-scattered (Rajbhandari et
al., arXiv:1910.02054; Zhao et al., arXiv:2304.11277). `tensor` shards heads, feed-forward width and
vocabulary, with the same rows on each device: it exchanges activations twice per layer (Shoeybi et
al., arXiv:1909.08053). The most frequent exchanges belong on the closest devices, so `tensor` is
the last axis.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, TypeVar

import jax
import numpy as np
from jax.experimental import mesh_utils
from jax.sharding import AxisType, Mesh

from jaxgap.errors import InputError

MESH_AXES = ("data", "fsdp", "tensor")

_Item = TypeVar("_Item")


class MeshShape(NamedTuple):
    """The shape of a mesh.

    **Fields:**

    - `data`, `fsdp`, `tensor`: devices along each axis, >= 1.

    >>> MeshShape.parse("fsdp=4,tensor=2")
    MeshShape(data=1, fsdp=4, tensor=2)
    """

    data: int = 1
    fsdp: int = 1
    tensor: int = 1

    @classmethod
    def parse(cls, text: str) -> MeshShape:
        """Parse a user's text; omitted axes are 1.

        **Raises:** `InputError` in one line for anything invalid.
        """
        sizes: dict[str, int] = {}
        for part in text.split(","):
            name, _, number = (word.strip() for word in part.partition("="))
            if name not in MESH_AXES or name in sizes or not _is_count(number):
                raise InputError(
                    f"a mesh must look like data=2,fsdp=2,tensor=2, each at least 1, got {text!r}"
                )
            sizes[name] = int(number)
        return cls(**sizes)

    @property
    def num_devices(self) -> int:
        """Number of devices in the mesh."""
        return self.data * self.fsdp * self.tensor

    @property
    def num_row_shards(self) -> int:
        """Number of shards of a batch's rows."""
        return self.data * self.fsdp


def make_mesh(shape: MeshShape, devices: Sequence[Any] | None = None) -> Mesh:
    """A mesh of the given devices, or of all devices.

    **Arguments:**

    - `shape`: the shape of the mesh.
    - `devices`: as many as the shape has; they are reordered so that neighbours in the mesh are
        neighbours in hardware.

    **Returns:** a mesh with the axes :data:`MESH_AXES`, along which the compiler partitions work.

    **Raises:** `InputError` if their number does not match the shape, or no such layout exists.
    """
    own = devices is None
    devices = jax.devices() if own else list(devices)
    if len(devices) != shape.num_devices:
        alone = ", or --mesh '' for one device" if own and jax.process_count() == 1 else ""
        raise InputError(
            f"a mesh of {_words(shape)} needs {shape.num_devices} devices, there are "
            f"{len(devices)}: give another --mesh{alone}"
        )
    try:
        ordered = _neighbours(shape, devices)
    except (ValueError, NotImplementedError, AssertionError) as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError(
            f"a mesh of {_words(shape)} does not fit these devices ({reason})"
        ) from error
    return Mesh(ordered, MESH_AXES, axis_types=(AxisType.Auto,) * len(MESH_AXES))


def _neighbours(shape: MeshShape, devices: list[Any]) -> np.ndarray:
    """The devices as an array of this shape; needs only coordinates, so they may be absent devices.

    Devices of one slice (a TPU slice, or a host's GPUs) have fast links. Slices are joined by a
    slower network, so the first axes span it as far as they divide, and the most frequent exchanges
    stay within a slice.
    """
    num_slices = len({getattr(device, "slice_index", 0) for device in devices})
    if num_slices == 1:
        # Physical axes are split only if no assignment of whole axes is found.
        return mesh_utils.create_device_mesh(shape, devices, allow_split_physical_axes=True)
    within, between, left = [], [], num_slices
    for size in shape:
        over = math.gcd(size, left)
        within.append(size // over)
        between.append(over)
        left //= over
    return mesh_utils.create_hybrid_device_mesh(
        within, between, devices, allow_split_physical_axes=True
    )


def on_mesh(text: str) -> contextlib.AbstractContextManager[Any]:
    """Set a mesh of all devices from a user's text; "" sets none.

    While it is set, new arrays are placed on all of its devices, and the functions of
    :mod:`jaxgap.sharding` constrain their sharding.

    **Raises:** `InputError` as in :meth:`MeshShape.parse` and :func:`make_mesh`, or if there are
    several processes and no mesh is given.
    """
    if not text:
        if jax.process_count() > 1:
            raise InputError(
                f"mesh must be given: {jax.process_count()} processes need one of their "
                f"{jax.device_count()} devices to share a run"
            )
        return contextlib.nullcontext()
    return jax.set_mesh(make_mesh(MeshShape.parse(text)))


def each_on_mesh(text: str, items: Iterator[_Item]) -> Iterator[_Item]:
    """The items of an iterator, with the mesh set only while each item is computed."""
    while True:
        with on_mesh(text):
            try:
                item = next(items)
            except StopIteration:
                return
        yield item
        del item  # an item may hold arrays that the next is computed from


def _is_count(word: str) -> bool:
    return word.isascii() and word.isdecimal() and len(word) < 7 and int(word) >= 1


def _words(shape: MeshShape) -> str:
    return ",".join(f"{name}={size}" for name, size in shape._asdict().items())
