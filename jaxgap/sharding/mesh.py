"""The mesh: devices as a box of three axes, each with one job.

`data` holds copies of the parameters, which see different rows. `fsdp` holds a part of the
parameters each, and different rows as well: a layer's weights are gathered while it is computed,
and its gradients scattered (Rajbhandari et al., arXiv:1910.02054; Zhao et al., arXiv:2304.11277).
`tensor` splits heads, feed-forward width and vocabulary, and sees the same rows: it exchanges
activations twice a layer (Shoeybi et al., arXiv:1909.08053). What is exchanged most often belongs
on the devices that are closest, so `tensor` is the last axis.
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
        """The shape that a user writes; axes left out are 1.

        **Raises:** `InputError` in one line for anything else.
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
        """Devices in the mesh."""
        return self.data * self.fsdp * self.tensor

    @property
    def num_row_shards(self) -> int:
        """Shards of the rows of a batch."""
        return self.data * self.fsdp


def make_mesh(shape: MeshShape, devices: Sequence[Any] | None = None) -> Mesh:
    """The mesh of these devices, or of all there are.

    **Arguments:**

    - `shape`: its axes.
    - `devices`: as many as the shape has; ordered so that neighbours in the mesh are neighbours in
        the machine.

    **Returns:** a mesh with the axes of :data:`MESH_AXES`; the compiler shares work along them.

    **Raises:** `InputError` if their number is not the shape's, or they cannot be laid out so.
    """
    devices = jax.devices() if devices is None else list(devices)
    if len(devices) != shape.num_devices:
        raise InputError(
            f"a mesh of {_words(shape)} needs {shape.num_devices} devices, there are {len(devices)}"
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
    """The devices as a box of this shape; of one only described, coordinates are all that is asked.

    Devices of one slice have links of their own: those of a host with GPUs, or of a slice of TPUs.
    Between slices lies a slower network, so the first axes reach over it, as far as they divide:
    what is exchanged most often stays within.
    """
    num_slices = len({getattr(device, "slice_index", 0) for device in devices})
    if num_slices == 1:
        # Split only where no assignment of whole axes of the machine is found.
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
    """Set the mesh that a user writes, of all devices there are; "" sets none.

    While it is set, arrays that are made lie on all of its devices, and functions of
    :mod:`jaxgap.sharding` constrain how they are sharded.

    **Raises:** `InputError` as :meth:`MeshShape.parse` and :func:`make_mesh`, or if there are
    several processes and no mesh that they could share.
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
    """The items of an iterator, each made with the mesh set, which is not set in between."""
    while True:
        with on_mesh(text):
            try:
                item = next(items)
            except StopIteration:
                return
        yield item
        del item  # an item may hold what the next is made of


def _is_count(word: str) -> bool:
    return word.isascii() and word.isdecimal() and len(word) < 7 and int(word) >= 1


def _words(shape: MeshShape) -> str:
    return ",".join(f"{name}={size}" for name, size in shape._asdict().items())
