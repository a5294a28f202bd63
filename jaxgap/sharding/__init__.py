"""One mesh of devices for everything, and where each axis of an array lies on it."""

from jaxgap.sharding.layout import named_sharding, partition
from jaxgap.sharding.mesh import MESH_AXES, MeshShape, make_mesh
from jaxgap.sharding.rows import by_rows, num_row_shards, rows_sharding

__all__ = [
    "MESH_AXES",
    "MeshShape",
    "by_rows",
    "make_mesh",
    "named_sharding",
    "num_row_shards",
    "partition",
    "rows_sharding",
]
