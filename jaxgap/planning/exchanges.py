"""Bytes that a collective of a compiled program hands to a device.

A collective runs in groups of devices at once. Of a gathered array each of `n` devices has a part
already and receives the other `n - 1`. Reducing an array and leaving a part of it on each device
takes as much: every device sums `n` versions of its part, and receives all but its own. An
all-reduce is both in turn. No algorithm needs less (Patarasuk and Yuan, "Bandwidth optimal
all-reduce algorithms for clusters of workstations", 2009).
"""

from __future__ import annotations

import math
import re

from jaxgap.planning.hlo import HloInstruction

_MESH_GROUPS = re.compile(r"\breplica_groups=mesh\[([^\]]*)\][^{]*\{([^}]*)\}")
_IOTA_GROUPS = re.compile(r"\breplica_groups=\[\d+,(\d+)\]<=")
_LISTED_GROUPS = re.compile(r"\breplica_groups=\{(\{[\d,{}]*\})\}")
_PAIRS = re.compile(r"\bsource_target_pairs=\{([\d,{}]*)\}")


def received_bytes(kind: str, instruction: HloInstruction, num_devices: int) -> int:
    """Bytes that a device receives, rounded down; the most of any device if they differ.

    **Arguments:**

    - `kind`: what it does, one of :data:`jaxgap.planning.traffic.COLLECTIVES`.
    - `instruction`: the collective, or the start of an asynchronous one.
    - `num_devices`: number of devices that run the program.
    """
    num_bytes = _result_bytes(instruction)
    if kind == "collective-permute":
        pairs = re.findall(r"\{(\d+),(\d+)\}", (_PAIRS.search(instruction.attributes) or [""])[0])
        return num_bytes if any(source != target for source, target in pairs) else 0
    size = group_size(instruction, num_devices)
    if kind == "reduce-scatter" and instruction.op == kind:
        return num_bytes * (size - 1)  # the result is the part that is left
    return (2 if kind == "all-reduce" else 1) * num_bytes * (size - 1) // size


def group_size(instruction: HloInstruction, num_devices: int) -> int:
    """Number of devices that a collective joins: all of them if it names no groups.

    >>> from jaxgap.planning.hlo import parse_module
    >>> module = parse_module('''
    ... ENTRY %main (x: f32[8]) -> f32[8] {
    ...   %x = f32[8]{0} parameter(0)
    ...   ROOT %y = f32[8]{0} all-reduce(%x), replica_groups=[4,2]<=[8], to_apply=%add
    ... }
    ... ''')
    >>> group_size(module.computations["main"]["y"], 8)
    2
    """
    if found := _MESH_GROUPS.search(instruction.attributes):
        axes = dict(re.findall(r"([^,=]+)=(\d+)", found.group(1)))
        # An axis may be part of one of the mesh: `name:(size before it)size`.
        named = (axis.rpartition(")")[2] for axis in found.group(2).split(",") if axis)
        return math.prod(int(axes.get(axis, axis)) for axis in named)
    if found := _IOTA_GROUPS.search(instruction.attributes):
        return int(found.group(1))
    if found := _LISTED_GROUPS.search(instruction.attributes):
        return max(group.count(",") + 1 for group in found.group(1).split("},{"))
    return num_devices


def _result_bytes(instruction: HloInstruction) -> int:
    """Bytes of the result, without the operands that some asynchronous starts return before it."""
    shapes, num_operands = instruction.shapes, len(instruction.operands)
    if instruction.op in ("all-gather-start", "collective-permute-start"):
        shapes = shapes[num_operands : 2 * num_operands]
    return sum(shape.num_bytes for shape in shapes)
