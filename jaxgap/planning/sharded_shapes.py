"""Arguments of a step as shapes with shardings, from which a program can be compiled."""

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
class ShardedShapes:
    """Adds shardings on a mesh to the shapes of a step's arguments.

    **Fields:**

    - `config`: the decoder's shape.
    - `mesh`: a mesh of devices that need not be present.
    """

    config: DecoderConfig
    mesh: Mesh

    def params(self, shapes: Params, dtype: Any = None) -> Params:
        """Parameters, adapters or moments, in the given floating type or their own."""
        shardings = parameter_shardings(self.mesh, self.config, shapes)
        return jax.tree.map(
            lambda leaf, sharding: jax.ShapeDtypeStruct(
                leaf.shape, dtype or leaf.dtype, sharding=sharding
            ),
            shapes,
            shardings,
        )

    def rows(self, shapes: Any, axis: int = 0) -> Any:
        """Arrays with rows along the given axis, and scalars."""
        return self._sharded(shapes, (None,) * axis + ("batch",))

    def caches(self, shapes: Any) -> Any:
        """Keys and values, `rows kv_heads ...`, and other arrays with rows."""

        def shard(leaf):
            return self._sharded(leaf, ("batch", "kv_heads") if leaf.ndim > 2 else ("batch",))

        return jax.tree.map(shard, shapes)

    def replicated(self, shapes: Any) -> Any:
        """Replicated arrays."""
        return self._sharded(shapes, ())

    def _sharded(self, shapes: Any, names: tuple[str | None, ...]) -> Any:
        def shard(leaf):
            axes = (*names, *(None,) * leaf.ndim)[: leaf.ndim]
            sharding = named_sharding(self.mesh, axes, leaf.shape, self.config.num_kv_heads)
            return jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=sharding)

        return jax.tree.map(shard, shapes)


def shard_bytes(tree: Any) -> int:
    """Bytes per device of a tree of sharded shapes."""
    return sum(map(_leaf_bytes, jax.tree.leaves(tree)))


def _leaf_bytes(leaf: jax.ShapeDtypeStruct) -> int:
    assert leaf.sharding is not None
    return math.prod(leaf.sharding.shard_shape(leaf.shape)) * leaf.dtype.itemsize
