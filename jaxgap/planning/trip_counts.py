"""The trip count of a loop, read from the compiled program.

A loop with a known trip count has a counter: its condition compares one entry of the carry with a
constant, and its body adds a constant to that entry (one, or more if the compiler has unrolled the
loop).
"""

from __future__ import annotations

import re

from jaxgap.planning.hlo import HloComputation, HloInstruction, HloModule

_SAME = {"copy", "bitcast", "convert", "copy-done", "copy-start"}


def known_trip_count(module: HloModule, loop: HloInstruction, within: HloComputation) -> int | None:
    """The trip count of a loop, or None if it depends on data.

    **Arguments:**

    - `module`: the program.
    - `loop`: a `while` instruction.
    - `within`: the computation with the loop.
    """
    said = re.search(r'"known_trip_count":\{"n":"(\d+)"\}', loop.attributes)
    if said:
        return int(said.group(1))
    condition = module.computations[loop.attribute("condition") or ""]
    compare = _root(condition)
    if compare.op != "compare" or compare.attribute("direction") != "LT":
        return None
    counter, bound = (condition[name] for name in compare.operands)
    if bound.op != "constant" or counter.op != "get-tuple-element":
        return None
    index = int(counter.attribute("index") or 0)
    body = module.computations[loop.attribute("body") or ""]
    step = _added(module, body, _entry(body, _root(body), index), index)
    start = _constant(module, within, _entry(within, within[loop.operands[0]], index))
    return -(-(int(bound.arguments) - (start or 0)) // (step or 1))


def _root(computation: HloComputation) -> HloInstruction:
    return next(each for each in computation.values() if each.is_root)


def _entry(computation: HloComputation, carried: HloInstruction, index: int) -> HloInstruction:
    """The entry of a tuple that is built here; otherwise the carried value itself."""
    return computation[carried.operands[index]] if carried.op == "tuple" else carried


def _added(
    module: HloModule, body: HloComputation, value: HloInstruction, index: int
) -> int | None:
    """By how much a value exceeds the carried entry, None if it is something else."""
    if value.op == "get-tuple-element" and body[value.operands[0]].op == "parameter":
        return 0 if value.attribute("index") == str(index) else None
    if value.op in _SAME:
        return _added(module, body, body[value.operands[0]], index)
    if value.op != "add":
        value, operands = _inside(module, body, value)
    else:
        operands = [body[name] for name in value.operands]
    if value.op != "add":
        return None
    for counter, other in (operands, operands[::-1]):
        before, more = _added(module, body, counter, index), _constant(module, body, other)
        if before is not None and more is not None:
            return before + more
    return None


def _constant(module: HloModule, computation: HloComputation, value: HloInstruction) -> int | None:
    """The value of an integer constant, None for anything else."""
    if value.op == "constant" and re.fullmatch(r"-?\d+", value.arguments):
        return int(value.arguments)
    if value.op in _SAME | {"broadcast"} and value.operands:
        return _constant(module, computation, computation[value.operands[0]])
    return None


def _inside(
    module: HloModule, computation: HloComputation, fusion: HloInstruction
) -> tuple[HloInstruction, list[HloInstruction]]:
    """The root of a fusion, with its operands as outside instructions or constants."""
    called = module.computations.get(fusion.attribute("calls") or "")
    if called is None:
        return fusion, []
    root = _root(called)
    outside = [called[name] for name in root.operands]
    return root, [
        computation[fusion.operands[int(each.arguments)]] if each.op == "parameter" else each
        for each in outside
    ]
