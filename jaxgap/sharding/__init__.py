"""One mesh of devices for everything, and where each axis of an array lies on it."""

from jaxgap.sharding.host import rows_to_devices, to_host
from jaxgap.sharding.layout import named_sharding, partition
from jaxgap.sharding.mesh import MESH_AXES, MeshShape, each_on_mesh, make_mesh, on_mesh
from jaxgap.sharding.processes import (
    AUTO,
    HEARTBEAT_SECONDS,
    all_agree,
    by_first,
    is_first,
    join_processes,
    meet,
    of_first,
)
from jaxgap.sharding.rows import (
    by_heads,
    by_rows,
    by_rows_and_heads,
    by_rows_and_words,
    by_vocabulary,
    even_rows,
    num_row_shards,
    rows_sharding,
    whole,
)

__all__ = [
    "AUTO",
    "HEARTBEAT_SECONDS",
    "MESH_AXES",
    "MeshShape",
    "all_agree",
    "by_first",
    "by_heads",
    "by_rows",
    "by_rows_and_heads",
    "by_rows_and_words",
    "by_vocabulary",
    "each_on_mesh",
    "even_rows",
    "is_first",
    "join_processes",
    "make_mesh",
    "meet",
    "named_sharding",
    "num_row_shards",
    "of_first",
    "on_mesh",
    "partition",
    "rows_sharding",
    "rows_to_devices",
    "to_host",
    "whole",
]
