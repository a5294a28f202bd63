"""From the host to the mesh that is set, and back.

Every process of a run holds the same arrays on its host (prompts, rows, batches) and hands its own
devices their shards of them; no process sees another's devices. What comes back is first
replicated, so that each process reads it from a device of its own. Outside of a mesh arrays are
taken as they are.
"""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
from jax.sharding import NamedSharding, Sharding
from jax.sharding import PartitionSpec as P

from jaxgap.sharding.rows import rows_sharding


def _put(values: np.ndarray, sharding: Sharding) -> jax.Array:
    values = values.astype(jax.dtypes.canonicalize_dtype(values.dtype), copy=False)
    return jax.make_array_from_callback(values.shape, sharding, lambda index: values[index])


def rows_to_devices(tree: Any, axis: int = 0) -> Any:
    """NumPy arrays, sharded along the axis that counts rows over the mesh that is set, if any.

    **Arguments:**

    - `tree`: of arrays whose numbers of rows :func:`even_rows` gives.
    - `axis`: the one that counts rows.

    **Returns:** the tree, as it is where no mesh is set.
    """
    mesh = jax.sharding.get_mesh()
    if mesh.empty:
        return tree
    return jax.tree.map(lambda values: _put(np.asarray(values), rows_sharding(mesh, axis)), tree)


def to_host(tree: Any) -> Any:
    """Arrays as NumPy arrays, wherever on the mesh that is set they lie."""
    mesh = jax.sharding.get_mesh()
    if not mesh.empty:
        replicated = NamedSharding(mesh, P())
        tree = jax.tree.map(lambda array: jax.device_put(array, replicated), tree)
    return jax.device_get(tree)
