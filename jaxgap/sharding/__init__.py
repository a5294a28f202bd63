"""The device mesh, and how the axes of arrays are sharded over it."""

from jaxgap.sharding.axis_rules import named_sharding, partition
from jaxgap.sharding.host_transfer import rows_to_devices, shards_to_devices, to_host
from jaxgap.sharding.mesh import MESH_AXES, MeshShape, each_on_mesh, make_mesh, on_mesh
from jaxgap.sharding.processes import (
    AUTO,
    HEARTBEAT_SECONDS,
    InputErrorInAll,
    ProcessLost,
    all_agree,
    barrier,
    broadcast_from_first,
    is_first,
    is_loss,
    join_processes,
    run_in_all,
    run_on_first,
)
from jaxgap.sharding.rows import (
    even_rows,
    num_row_shards,
    replicate,
    rows_sharding,
    shard_heads,
    shard_rows,
    shard_rows_and_heads,
    shard_rows_and_vocab,
    shard_vocab,
)

__all__ = [
    "AUTO",
    "HEARTBEAT_SECONDS",
    "MESH_AXES",
    "InputErrorInAll",
    "MeshShape",
    "ProcessLost",
    "all_agree",
    "barrier",
    "broadcast_from_first",
    "each_on_mesh",
    "even_rows",
    "is_first",
    "is_loss",
    "join_processes",
    "make_mesh",
    "named_sharding",
    "num_row_shards",
    "on_mesh",
    "partition",
    "replicate",
    "rows_sharding",
    "rows_to_devices",
    "run_in_all",
    "run_on_first",
    "shard_heads",
    "shard_rows",
    "shard_rows_and_heads",
    "shard_rows_and_vocab",
    "shard_vocab",
    "shards_to_devices",
    "to_host",
]
