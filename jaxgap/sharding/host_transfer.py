"""Transfers between the host and the current mesh.

Every process of a run has the same arrays on its host (prompts, rows, batches) and gives its own
devices their shards; no process can address another's devices. Results are replicated first, so
that each process reads them from one of its own devices. Without a mesh, arrays pass through
unchanged.
"""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
from jax.sharding import NamedSharding, Sharding
from jax.sharding import PartitionSpec as P

from jaxgap.sharding.rows import rows_sharding


def shards_to_devices(values: np.ndarray, sharding: Sharding) -> jax.Array:
    """Put an array that every process has on devices, exchanging nothing."""
    values = values.astype(jax.dtypes.canonicalize_dtype(values.dtype), copy=False)
    return jax.make_array_from_callback(values.shape, sharding, lambda index: values[index])


def rows_to_devices(tree: Any, axis: int = 0) -> Any:
    """Put NumPy arrays on the current mesh, if any, sharded along their row axis.

    **Arguments:**

    - `tree`: arrays whose numbers of rows are values of :func:`even_rows`.
    - `axis`: the row axis.

    **Returns:** the tree on devices; unchanged without a mesh.
    """
    mesh = jax.sharding.get_mesh()
    if mesh.empty:
        return tree
    return jax.tree.map(
        lambda values: shards_to_devices(np.asarray(values), rows_sharding(mesh, axis)), tree
    )


def to_host(tree: Any) -> Any:
    """Arrays as NumPy arrays, however they are sharded on the current mesh."""
    mesh = jax.sharding.get_mesh()
    if not mesh.empty:
        replicated = NamedSharding(mesh, P())
        tree = jax.tree.map(lambda array: jax.device_put(array, replicated), tree)
    return jax.device_get(tree)
