"""A parser for the HLO text of a compiled program, as far as counting costs needs it.

A module is a list of computations, a computation a list of instructions, each with the shape of its
result, its operation, the names of its operands, and attributes. Loops, branches and fusions call
other computations by name. (The format: openxla.org/xla/operation_semantics.)
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Iterator
from typing import NamedTuple

_NUM_DEVICES = re.compile(r"\b(replica_count|num_partitions)=(\d+)")
_HEADER = re.compile(r"^(ENTRY )?%?([\w.\-]+) \(.*\{$")
_INSTRUCTION = re.compile(r"^\s+(ROOT )?%?([\w.\-]+) = ")
_ARRAY = re.compile(r"\b(pred|bf16|[a-z]+\d+[a-z0-9]*)\[([\d,]*)\](\{[^}]*\})?")
_NAME = re.compile(r"%([\w.\-]+)")
_BITS = {"pred": 8, "bf16": 16}


class Shape(NamedTuple):
    """An array in a program.

    **Fields:**

    - `dtype`: such as `f32`.
    - `sizes`: sizes of its axes, on one device.
    - `in_hbm`: whether it is in HBM, not in the core's own memory.
    """

    dtype: str
    sizes: tuple[int, ...]
    in_hbm: bool

    @property
    def num_bytes(self) -> int:
        """Its size without padding."""
        bits = _BITS.get(self.dtype) or int(re.findall(r"\d+", self.dtype)[0])
        return math.prod(self.sizes) * bits // 8


@dataclasses.dataclass(frozen=True)
class HloInstruction:
    """One instruction.

    **Fields:**

    - `name`: unique within its computation.
    - `shapes`: shape of its result; several for a tuple.
    - `op`: such as `dot`, `fusion`, `while`.
    - `operands`: names of instructions in the same computation.
    - `attributes`: the rest of the line.
    - `arguments`: the text between the parentheses; for a constant, its value.
    - `is_root`: whether its result is that of the computation.
    """

    name: str
    shapes: tuple[Shape, ...]
    op: str
    operands: tuple[str, ...]
    attributes: str
    arguments: str
    is_root: bool

    def attribute(self, name: str) -> str | None:
        """The value of an attribute, up to the next comma or space."""
        found = re.search(rf"\b{name}=%?([^,\s]+)", self.attributes)
        return found.group(1) if found else None

    def attribute_list(self, name: str) -> str:
        """The text between the braces of an attribute, "" if it is missing."""
        found = re.search(rf"\b{name}=\{{([^}}]*)\}}", self.attributes)
        return found.group(1) if found else ""

    @property
    def num_bytes(self) -> int:
        """Bytes of the result."""
        return sum(shape.num_bytes for shape in self.shapes)


HloComputation = dict[str, HloInstruction]
"""Instructions by name, in order."""


class HloModule(NamedTuple):
    """A program.

    **Fields:**

    - `computations`: the computations by name.
    - `entry`: the name of the entry computation.
    - `num_devices`: number of devices that run it together.
    """

    computations: dict[str, HloComputation]
    entry: str
    num_devices: int


def parse_module(text: str) -> HloModule:
    """Parse the text returned by `compiled.as_text()`.

    **Raises:** `ValueError` if it is not the text of a compiled program.

    >>> module = parse_module('''
    ... ENTRY %main (x: f32[2,3]) -> f32[2,3] {
    ...   %x = f32[2,3]{1,0} parameter(0)
    ...   ROOT %y = f32[2,3]{1,0} negate(%x), metadata={}
    ... }
    ... ''')
    >>> module.computations["main"]["y"].operands
    ('x',)
    """
    computations: dict[str, HloComputation] = {}
    entry, current = "", {}
    for line in text.splitlines():
        header = _HEADER.match(line)
        if header:
            current = computations[header.group(2)] = {}
            entry = header.group(2) if header.group(1) else entry
        elif found := _INSTRUCTION.match(line):
            instruction = _parse(found.group(2), line[found.end() :], bool(found.group(1)))
            current[instruction.name] = instruction
    if not entry:
        raise ValueError("text must be that of a compiled program, got one without an ENTRY")
    counts = dict(_NUM_DEVICES.findall(text[: text.find("\n")]))
    return HloModule(computations, entry, math.prod(map(int, counts.values())))


def _parse(name: str, rest: str, is_root: bool) -> HloInstruction:
    end = _closing(rest, 0) + 1 if rest.startswith("(") else rest.index(" ")
    shape, rest = rest[:end], rest[end:].lstrip()
    start = rest.index("(")
    end = _closing(rest, start)
    arguments = rest[start + 1 : end]
    return HloInstruction(
        name,
        tuple(_shapes(shape)),
        rest[:start],
        tuple(_NAME.findall(arguments)),
        rest[end + 1 :],
        arguments,
        is_root,
    )


def _shapes(text: str) -> Iterator[Shape]:
    for dtype, sizes, layout in _ARRAY.findall(text):
        yield Shape(dtype, tuple(int(s) for s in sizes.split(",") if s), "S(" not in layout)


def _closing(text: str, start: int) -> int:
    """The index of the parenthesis that closes the one at `start`."""
    depth = 0
    for index in range(start, len(text)):
        depth += (text[index] == "(") - (text[index] == ")")
        if depth == 0:
            return index
    raise ValueError(f"unbalanced parentheses in {text[:80]!r}")
