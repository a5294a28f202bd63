"""Which axes are cut, and what users may write."""

import jax
import numpy as np
import pytest
from jax.sharding import AbstractMesh, AxisType
from jax.sharding import PartitionSpec as P

from jaxgap.errors import InputError
from jaxgap.sharding import MESH_AXES, MeshShape, even_rows, make_mesh, partition, shard_rows

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


def test_devices_that_were_named_are_not_exchanged_for_one():
    with pytest.raises(InputError, match=r"there are 1: give another --mesh$"):
        make_mesh(MeshShape(data=2, fsdp=3), jax.devices()[:1])


class Described:
    """A GPU or a TPU, as JAX shows it."""

    def __init__(self, number, slice_index, coords=None, kind="NVIDIA H100 80GB HBM3"):
        self.platform = "gpu" if coords is None else "tpu"
        self.id, self.device_kind, self.core_on_chip = number, kind, 0
        self.slice_index = self.process_index = slice_index
        self.coords = coords


def gpu_hosts(*sizes):
    """Hosts of so many GPUs, each a slice of its own."""
    hosts = [host for host, size in enumerate(sizes) for _ in range(size)]
    return [Described(number, host) for number, host in enumerate(hosts)]


@pytest.mark.parametrize(
    ("shape", "between"),
    [
        (MeshShape(fsdp=16), "fsdp"),
        (MeshShape(fsdp=2, tensor=8), "fsdp"),
        (MeshShape(data=2, fsdp=8), "data"),
        (MeshShape(data=4, fsdp=2, tensor=2), "data"),
        (MeshShape(tensor=16), "tensor"),
    ],
)
def test_the_first_axes_reach_from_host_to_host(shape, between):
    mesh = make_mesh(shape, gpu_hosts(8, 8))
    assert (mesh.axis_names, mesh.axis_types) == (MESH_AXES, (AxisType.Auto,) * 3)
    numbers = np.vectorize(lambda device: device.id)(mesh.devices)
    np.testing.assert_array_equal(numbers, np.arange(16).reshape(shape))
    hosts = np.moveaxis(numbers // 8, MESH_AXES.index(between), 0)
    for half, host in zip(np.split(hosts, 2), (0, 1), strict=True):
        assert (half == host).all()


def test_what_does_not_divide_lies_within_a_host():
    mesh = make_mesh(MeshShape(data=3, fsdp=4), gpu_hosts(6, 6))
    hosts = np.vectorize(lambda device: device.slice_index)(mesh.devices)[..., 0]
    np.testing.assert_array_equal(hosts, [[0, 0, 1, 1]] * 3)


def test_hosts_of_different_sizes_are_refused_in_one_line():
    with pytest.raises(InputError, match="fsdp=12,tensor=1 does not fit these devices") as refused:
        make_mesh(MeshShape(fsdp=12), gpu_hosts(8, 4))
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("kind", ["TPU v5 lite", "TPU v6 lite", "TPU v5p"])
@pytest.mark.parametrize("shape", [MeshShape(fsdp=8, tensor=2), MeshShape(2, 2, 4)])
def test_an_axis_of_a_torus_may_be_split(kind, shape):
    chips = [Described(4 * y + x, 0, (x, y, 0), kind) for y in range(4) for x in range(4)]
    assert make_mesh(shape, chips).devices.shape == tuple(shape)


def test_chips_that_fill_no_box_are_refused_in_one_line():
    chips = [
        Described(i, 0, at, "TPU v5p") for i, at in enumerate([(0, 0, 0), (1, 0, 0), (0, 1, 0)])
    ]
    with pytest.raises(InputError, match="fsdp=3,tensor=1 does not fit these devices") as refused:
        make_mesh(MeshShape(fsdp=3), chips)
    assert "\n" not in str(refused.value)


def test_on_one_device_nothing_is_said_about_rows():
    x = np.ones((2, 3))
    assert shard_rows(x) is x
    assert "sharding_constraint" not in str(jax.make_jaxpr(shard_rows)(x))


@pytest.mark.parametrize(("count", "expected"), [(1, 4), (4, 4), (5, 8), (64, 64)])
def test_rows_are_filled_up_to_what_data_and_fsdp_cut(count, expected):
    assert even_rows(count) == count
    with jax.sharding.use_abstract_mesh(MESH):
        assert even_rows(count) == expected
