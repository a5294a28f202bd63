"""Which axes are cut, and what users may write."""

import jax
import numpy as np
import pytest
from jax.sharding import AbstractMesh, AxisType
from jax.sharding import PartitionSpec as P

from jaxgap.errors import InputError
from jaxgap.sharding import MESH_AXES, MeshShape, by_rows, even_rows, make_mesh, partition

MESH = AbstractMesh((2, 2, 4), MESH_AXES, axis_types=(AxisType.Auto,) * 3)


@pytest.mark.parametrize(
    ("names", "shape", "kv_heads", "expected"),
    [
        (("embed", "mlp"), (64, 128), 4, P(("fsdp",), ("tensor",))),
        (("batch", "kv_heads", "slots", "head_dim"), (8, 4, 9, 16), 4,
         P(("data", "fsdp"), ("tensor",), None, None)),
        # Three groups of heads on four devices: 192 divides, but not between heads.
        (("embed", "kv_heads"), (64, 192), 3, P(("fsdp",), None)),
        (("embed", "heads"), (64, 576), 3, P(("fsdp",), None)),
        (("vocab", "embed"), (1001, 63), 4, P(None, None)),
        ((), (), 4, P()),
    ],
)  # fmt: skip
def test_an_axis_is_cut_where_it_divides(names, shape, kv_heads, expected):
    assert partition(MESH, names, shape, kv_heads) == expected


@pytest.mark.parametrize(
    "text", ["", "data=0", "fsdp=2,fsdp=2", "rows=2", "data=²", "data=-1", "2"]
)
def test_other_meshes_are_refused(text):
    with pytest.raises(InputError, match="a mesh must look like"):
        MeshShape.parse(text)


def test_a_mesh_takes_all_devices():
    with pytest.raises(InputError, match=r"data=64,fsdp=1,tensor=1 needs 64 devices"):
        make_mesh(MeshShape(data=64))


def test_on_one_device_nothing_is_said_about_rows():
    x = np.ones((2, 3))
    assert by_rows(x) is x
    assert "sharding_constraint" not in str(jax.make_jaxpr(by_rows)(x))


@pytest.mark.parametrize(("count", "expected"), [(1, 4), (4, 4), (5, 8), (64, 64)])
def test_rows_are_filled_up_to_what_data_and_fsdp_cut(count, expected):
    assert even_rows(count) == count
    with jax.sharding.use_abstract_mesh(MESH):
        assert even_rows(count) == expected
