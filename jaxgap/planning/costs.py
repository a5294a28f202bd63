"""What one device does in a run of a compiled program: operations, traffic, exchanges.

XLA's own count takes the body of a loop once, however often it runs. Here every computation counts
as often as it is called. How often a loop turns is in the program where a scan made it; where it
depends on data (microbatches that hold a token, tokens until the last row ends) the caller says the
most it can be. Of the branches of a condition the costliest counts.
"""

from __future__ import annotations

import dataclasses
import re
from collections import Counter
from collections.abc import Iterator, Sequence

from jaxgap.planning.hlo import HloComputation, HloInstruction, HloModule
from jaxgap.planning.product_flops import product_flops
from jaxgap.planning.traffic import COLLECTIVES, traffic
from jaxgap.planning.trip_counts import known_trip_count

_FREE = {"parameter", "constant", "tuple", "get-tuple-element", "bitcast", "after-all"}


@dataclasses.dataclass
class Costs:
    """What one device does.

    **Fields:**

    - `flops`: operations of products of matrices.
    - `hbm_bytes`: read from and written to the large memory by every instruction, without what
        stays in the core's own memory.
    - `num_collectives`: exchanges between devices, by their kind.
    - `collective_bytes`: bytes that each hands to a device (the gathered, the reduced array).
    """

    flops: float = 0.0
    hbm_bytes: float = 0.0
    num_collectives: Counter[str] = dataclasses.field(default_factory=Counter)
    collective_bytes: Counter[str] = dataclasses.field(default_factory=Counter)

    def add(self, other: Costs, times: int = 1) -> None:
        """Count something as often as it runs."""
        self.flops += times * other.flops
        self.hbm_bytes += times * other.hbm_bytes
        for kind, number in other.num_collectives.items():
            self.num_collectives[kind] += times * number
        for kind, number in other.collective_bytes.items():
            self.collective_bytes[kind] += times * number


def count_costs(module: HloModule, max_trip_counts: Sequence[int] = ()) -> Costs:
    """Costs of one run of a program on one device.

    **Arguments:**

    - `module`: the program, partitioned as a device runs it.
    - `max_trip_counts`: the most that loops turn whose trip count depends on data: that of the
        outermost ones, of those in them, and so on; any deeper count once.
    """
    return _Counter(module, max_trip_counts).of(module.entry, 0)


class _Counter:
    def __init__(self, module: HloModule, max_trip_counts: Sequence[int]):
        self._module, self._max_trip_counts = module, max_trip_counts
        self._channels: set[str] = set()

    def of(self, name: str, depth: int, in_fusion: bool = False) -> Costs:
        """Costs of a computation, in so many loops that depend on data."""
        computation, total = self._module.computations[name], Costs()
        for instruction in computation.values():
            total.flops += product_flops(instruction, computation)
            if not in_fusion and instruction.op not in _FREE | {"while", "conditional", "call"}:
                total.hbm_bytes += traffic(self._module, instruction, computation)
            self._count_exchange(instruction, total)
            self._add_called(instruction, computation, depth, in_fusion, total)
        return total

    def _add_called(
        self,
        instruction: HloInstruction,
        computation: HloComputation,
        depth: int,
        in_fusion: bool,
        total: Costs,
    ) -> None:
        if instruction.op == "while":
            count = known_trip_count(self._module, instruction, computation)
            if count is None:
                count = self._max_trip_counts[depth] if depth < len(self._max_trip_counts) else 1
                depth += 1
            total.add(self.of(instruction.attribute("body") or "", depth, in_fusion), count)
        elif instruction.op == "conditional":
            branches = [self.of(name, depth, in_fusion) for name in _branches(instruction)]
            total.add(max(branches, key=lambda costs: (costs.flops, costs.hbm_bytes)))
        elif called := instruction.attribute("calls"):
            total.add(self.of(called, depth, in_fusion or instruction.op == "fusion"))
        elif instruction.op == "call":
            total.add(self.of(instruction.attribute("to_apply") or "", depth, in_fusion))

    def _count_exchange(self, instruction: HloInstruction, total: Costs) -> None:
        kind = instruction.op.removesuffix("-start")
        if kind not in COLLECTIVES:
            return
        # A fused exchange is written once more in each fusion that it runs beside.
        channel = instruction.attribute("channel_id")
        if channel is not None and channel in self._channels:
            return
        self._channels.add(channel or instruction.name)
        received = instruction.shapes
        if instruction.op == "all-gather-start" or kind == "collective-permute":
            received = received[len(instruction.operands) :] or received
        total.num_collectives[kind] += 1
        total.collective_bytes[kind] += sum(shape.num_bytes for shape in received)


def _branches(instruction: HloInstruction) -> Iterator[str]:
    listed = instruction.attribute_list("branch_computations")
    if listed:
        return iter(re.findall(r"[\w.\-]+", listed))
    pair = (instruction.attribute(f"{which}_computation") for which in ("true", "false"))
    return iter([name for name in pair if name])
