"""Every axis is sharded along its mesh axes where these divide it, by enumeration."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jax.sharding import AbstractMesh

from jaxgap.sharding import MESH_AXES
from jaxgap.sharding.axis_rules import LOGICAL_AXIS_RULES, partition

sizes = st.sampled_from([1, 2, 3, 4])
names = st.sampled_from([*LOGICAL_AXIS_RULES, "norm", None])


def abstract_mesh(shape):
    return AbstractMesh(tuple(shape), MESH_AXES)


@given(
    st.tuples(sizes, sizes, sizes),
    st.lists(st.tuples(names, st.integers(1, 24)), min_size=1, max_size=4),
    st.integers(1, 12),
)
def test_an_axis_is_sharded_where_its_parts_are_equal(shape, axes, num_kv_heads):
    mesh = abstract_mesh(shape)
    by_name = dict(zip(MESH_AXES, shape, strict=True))
    spec = partition(mesh, *zip(*axes, strict=True), num_kv_heads)
    assert len(spec) == len(axes)
    for entry, (name, size) in zip(spec, axes, strict=True):
        along = LOGICAL_AXIS_RULES.get(name, ())
        parts = math.prod(by_name[axis] for axis in along)
        whole = num_kv_heads if name in ("heads", "kv_heads") else size
        if parts == 1 or whole % parts:
            assert entry is None
        else:
            assert (entry if isinstance(entry, tuple) else (entry,)) == along


@pytest.mark.parametrize(("num_kv_heads", "is_sharded"), [(4, True), (3, False)])
def test_query_heads_stay_with_the_key_heads_they_attend_to(num_kv_heads, is_sharded):
    spec = partition(abstract_mesh((1, 1, 2)), ("heads",), (12,), num_kv_heads)
    assert (spec[0] is not None) == is_sharded
