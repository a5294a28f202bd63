"""Bytes of HBM that an instruction of a compiled program reads and writes.

Only data that moves counts: a slice reads what it takes, an in-place update writes what it inserts,
and a fusion passes some of its operands through unchanged. Among those are the arrays of an
asynchronous collective that it overlaps with, which the compiler passes from fusion to fusion.
Asynchronous operations count where they start.
"""

from __future__ import annotations

from jaxgap.planning.hlo import HloComputation, HloInstruction, HloModule, Shape

COLLECTIVES = (
    "all-gather",
    "all-reduce",
    "reduce-scatter",
    "all-to-all",
    "collective-permute",
)
_SLICES = {"dynamic-slice", "slice", "gather"}
_UPDATE = "dynamic-update-slice"


def traffic(module: HloModule, instruction: HloInstruction, computation: HloComputation) -> int:
    """Bytes that an instruction reads and writes.

    **Arguments:**

    - `module`: the program.
    - `instruction`: any instruction except a loop or a conditional, whose bodies are counted
        instead.
    - `computation`: the computation with it and its operands.
    """
    called = module.computations.get(instruction.attribute("calls") or "", {})
    root = next((each for each in called.values() if each.is_root), instruction)
    if instruction.op.endswith("-done") or "AsyncCollectiveDone" in root.attributes:
        return 0  # counted where it was started
    if instruction.op.removesuffix("-start") in _SLICES:
        return _sliced(instruction, computation)
    inner = {int(p.arguments): p for p in called.values() if p.op == "parameter"}
    read = sum(
        _read(computation[name], inner.get(number), called, instruction)
        for number, name in enumerate(instruction.operands)
        if name in computation
    )
    return read + _written(instruction, root, called or computation)


def _sliced(instruction: HloInstruction, computation: HloComputation) -> int:
    """Bytes read and written to take a slice, each only if it is in HBM."""
    (taken,) = _new_shapes(instruction)[:1]
    source = computation.get(instruction.operands[0])
    return taken.num_bytes * ((source is None or _in_hbm(source) > 0) + taken.in_hbm)


def _new_shapes(instruction: HloInstruction) -> tuple[Shape, ...]:
    """Result shapes without the operands, which asynchronous starts return as well."""
    if instruction.op == "copy-start":
        return instruction.shapes[:1]
    if instruction.op.endswith("-start") or instruction.name.startswith("async-collective-start"):
        return instruction.shapes[len(instruction.operands) :] or instruction.shapes
    return instruction.shapes


def _written(instruction: HloInstruction, root: HloInstruction, within: HloComputation) -> int:
    """Bytes written for an instruction's results, which `root` computes."""
    if root.op != "tuple":
        if root.op == _UPDATE:
            return within[root.operands[1]].num_bytes
        return sum(shape.num_bytes for shape in _new_shapes(instruction) if shape.in_hbm)
    total = 0
    for shape, name in zip(instruction.shapes, root.operands, strict=True):
        entry = within[name]
        if entry.op == _UPDATE:
            total += within[entry.operands[1]].num_bytes
        elif entry.op != "parameter" and entry.op not in COLLECTIVES and shape.in_hbm:
            total += shape.num_bytes
    return total


def _read(
    operand: HloInstruction,
    parameter: HloInstruction | None,
    called: HloComputation,
    instruction: HloInstruction,
) -> int:
    """Bytes read of an operand; `parameter` stands for it in a called computation, if any."""
    whole = _in_hbm(operand)
    if not whole:
        return 0
    if parameter is None:
        in_place = instruction.op == _UPDATE and operand.name == instruction.operands[0]
        return 0 if in_place else whole
    users = [each for each in called.values() if parameter.name in each.operands]
    handed_on = any(each.is_root and each.op == "tuple" for each in users)
    reading = [each for each in users if not _moves_nothing(each, parameter, handed_on)]
    if all(each.op in _SLICES and each.operands[0] == parameter.name for each in reading):
        return min(whole, sum(each.num_bytes for each in reading))
    return whole


def _moves_nothing(user: HloInstruction, parameter: HloInstruction, handed_on: bool) -> bool:
    """Whether an instruction of a fusion leaves a parameter in place."""
    if user.op == _UPDATE:
        return user.operands[0] == parameter.name
    return handed_on and (user.op == "tuple" or user.op in COLLECTIVES)


def _in_hbm(instruction: HloInstruction) -> int:
    return sum(shape.num_bytes for shape in instruction.shapes if shape.in_hbm)
