"""Arguments of a step as shapes with their places on a mesh: what a program is compiled from."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import jax
from jax.sharding import Mesh

from jaxgap.models import DecoderConfig, Params
from jaxgap.models.axes import parameter_shardings
from jaxgap.sharding import named_sharding


@dataclasses.dataclass(frozen=True)
class Layout:
    """Where the arguments of a model's steps lie on a mesh.

    **Arguments:**

    - `config`: the decoder's shape.
    - `mesh`: of devices that need not be there.
    """

    config: DecoderConfig
    mesh: Mesh

    def params(self, shapes: Params, dtype: Any = None) -> Params:
        """Parameters, adapters or moments, in this floating type or their own."""
        shardings = parameter_shardings(self.mesh, self.config, shapes)
        return jax.tree.map(
            lambda leaf, sharding: jax.ShapeDtypeStruct(
                leaf.shape, dtype or leaf.dtype, sharding=sharding
            ),
            shapes,
            shardings,
        )

    def rows(self, shapes: Any, axis: int = 0) -> Any:
        """Arrays counted by rows along an axis, and numbers that all devices know."""
        return self._placed(shapes, (None,) * axis + ("batch",))

    def caches(self, shapes: Any) -> Any:
        """Keys and values, `rows kv_heads ...`, with what else there is of each row."""
        return jax.tree.map(
            lambda leaf: self._placed(leaf, ("batch", "kv_heads") if leaf.ndim > 2 else ("batch",)),
            shapes,
        )

    def everywhere(self, shapes: Any) -> Any:
        """Arrays that every device holds whole."""
        return self._placed(shapes, ())

    def _placed(self, shapes: Any, names: tuple[str | None, ...]) -> Any:
        def place(leaf):
            cut = (*names, *(None,) * leaf.ndim)[: leaf.ndim]
            sharding = named_sharding(self.mesh, cut, leaf.shape, self.config.num_kv_heads)
            return jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=sharding)

        return jax.tree.map(place, shapes)


def shard_bytes(tree: Any) -> int:
    """Bytes of a tree of placed shapes on each device."""
    return sum(map(_leaf_bytes, jax.tree.leaves(tree)))


def _leaf_bytes(leaf: jax.ShapeDtypeStruct) -> int:
    assert leaf.sharding is not None
    return math.prod(leaf.sharding.shard_shape(leaf.shape)) * leaf.dtype.itemsize
