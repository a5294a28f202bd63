"""What a device receives is what it lacks, by arithmetic, whatever way groups are written."""

import json
import subprocess
import sys

import pytest

from jaxgap.planning.costs import count_costs
from jaxgap.planning.hlo import parse_module

ROWS, WIDTH = 16, 64
WHOLE = 4 * ROWS * WIDTH


def counted(line, num_devices=8, within=""):
    module = parse_module(f"""HloModule jit_f, is_scheduled=true, num_partitions={num_devices}

{within}
ENTRY %main (x: f32[{ROWS},{WIDTH}]) -> f32[{ROWS},{WIDTH}] {{
  %x = f32[{ROWS},{WIDTH}] parameter(0)
  {line}
}}
""")
    return dict(count_costs(module).collective_bytes)


GROUPS = [
    ("replica_groups=[2,4]<=[8]", 4),
    ("replica_groups=[4,2]<=[2,4]T(1,0)", 2),
    ("replica_groups={{0,1,2,3},{4,5,6,7}}", 4),
    ("replica_groups={}", 8),
    ("dimensions={0}", 8),
    ("replica_groups=mesh['axis_0'=2,'axis_1'=4] {'axis_1'}", 4),
    ("replica_groups=mesh['axis_0'=2,'axis_1'=1,'axis_2'=4] {'axis_0','axis_2'}", 8),
    ("replica_groups=mesh['axis_0'=4,'axis_1'=2], device_ids=([2,2,2]T(1,0,2)) {'axis_1'}", 2),
    ("replica_groups=mesh['axis_0'=8] {'axis_0':(2)2}", 2),
]


@pytest.mark.parametrize(("groups", "size"), GROUPS)
def test_groups_are_read_in_every_form(groups, size):
    line = f"ROOT %y = f32[16,64] all-reduce(%x), channel_id=1, {groups}, to_apply=%add"
    assert counted(line) == {"all-reduce": 2 * WHOLE * (size - 1) // size}


def test_an_asynchronous_collective_counts_without_its_operands():
    four = "replica_groups=[2,4]<=[8], dimensions={0}"
    part = WHOLE // 4
    line = f"%y = (f32[16,64], f32[64,64]) all-gather-start(%x), {four}"
    assert counted(line) == {"all-gather": 4 * WHOLE - WHOLE}
    line = f"%y = f32[16,64] all-reduce-start(%x), {four}"
    assert counted(line) == {"all-reduce": 2 * (WHOLE - part)}
    line = "%y = (f32[16,64], f32[16,64], u32[], u32[]) collective-permute-start(%x)"
    assert counted(line + ", source_target_pairs={{0,1},{1,0}}") == {"collective-permute": WHOLE}
    assert counted(line + ", source_target_pairs={{0,0},{1,1}}") == {"collective-permute": 0}


def test_a_reduction_that_a_tpu_fuses_with_its_slices_is_no_all_reduce():
    within = """%all-reduce-scatter.3 (input: f32[16,64]) -> f32[2,64] {
  %input = f32[16,64] parameter(0)
  %zero = s32[] constant(0)
  %sum = f32[16,64] all-reduce(%input), channel_id=3, replica_groups=[1,8]<=[8], to_apply=%add
  ROOT %part = f32[2,64] dynamic-slice(%sum, %zero, %zero), dynamic_slice_sizes={2,64}
}
"""
    line = "ROOT %y = f32[2,64] fusion(%x), kind=kCustom, calls=%all-reduce-scatter.3"
    assert counted(line, within=within) == {"reduce-scatter": WHOLE * 7 // 8}


def test_a_channel_counts_once_unless_other_arrays_share_it():
    one = "f32[16,64] all-reduce(%x), channel_id=1, replica_groups={}, to_apply=%add"
    other = "f32[8,64] all-reduce(%x), channel_id=1, replica_groups={}, to_apply=%add"
    lines = f"%a = {one}\n  %b = {one}\n  %c = {other}"
    assert counted(lines) == {"all-reduce": 2 * (WHOLE + WHOLE // 2) * 7 // 8}


SCRIPT = """
import json, sys
import jax, jax.numpy as jnp
from jax.sharding import NamedSharding, PartitionSpec as P
from jaxgap.planning.costs import count_costs
from jaxgap.planning.hlo import parse_module

rows, width = map(int, sys.argv[1:])
mesh = jax.make_mesh((2, 4), ("x", "y"))
lax = jax.lax
functions = {
    "all-gather": (lambda a: lax.all_gather(a, "y", tiled=True), P("y"), P()),
    "all-reduce": (lambda a: lax.psum(a, "y"), P(), P()),
    "reduce-scatter": (lambda a: lax.psum_scatter(a, "y", tiled=True), P(), P("y")),
    "all-to-all": (lambda a: lax.all_to_all(a, "y", 1, 0, tiled=True), P("y"), P(None, "y")),
    "collective-permute": (
        lambda a: lax.ppermute(a, "y", [(i, (i + 1) % 4) for i in range(4)]), P("y"), P("y")
    ),
}
counted = {}
for kind, (function, before, after) in functions.items():
    x = jax.ShapeDtypeStruct((rows, width), jnp.float32, sharding=NamedSharding(mesh, before))
    mapped = jax.shard_map(function, mesh=mesh, in_specs=before, out_specs=after, check_vma=False)
    text = jax.jit(mapped).lower(x).compile().as_text()
    counted[kind] = count_costs(parse_module(text)).collective_bytes
print(json.dumps(counted))
"""


def test_each_kind_in_compiled_programs_hands_over_what_is_lacking(with_devices):
    """In groups of four of eight devices; `whole` is the array over all of a group."""
    run = [sys.executable, "-c", SCRIPT, str(ROWS), str(WIDTH)]
    found = subprocess.run(run, env=with_devices(8), capture_output=True, text=True, check=True)
    part = WHOLE // 4
    assert json.loads(found.stdout) == {
        "all-gather": {"all-gather": WHOLE - part},
        "all-reduce": {"all-reduce": 2 * (WHOLE - part)},
        "reduce-scatter": {"reduce-scatter": WHOLE - part},
        "all-to-all": {"all-to-all": part - part // 4},
        "collective-permute": {"collective-permute": part},
    }
