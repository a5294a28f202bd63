"""The costs of a compiled program on one device: operations, traffic, collectives.

XLA's own count includes the body of a loop only once. Here every computation counts as often as it
runs. The trip count of a loop made by a scan is in the program; for one that depends on data
(non-empty microbatches, tokens until the last row ends) the caller gives its maximum. Of the
branches of a conditional, the costliest counts.
"""

from __future__ import annotations

import dataclasses
import re
from collections import Counter
from collections.abc import Hashable, Iterator, Sequence

from jaxgap.planning.exchanges import received_bytes
from jaxgap.planning.hlo import HloComputation, HloInstruction, HloModule
from jaxgap.planning.product_flops import product_flops
from jaxgap.planning.traffic import COLLECTIVES, traffic
from jaxgap.planning.trip_counts import known_trip_count

_FREE = {"parameter", "constant", "tuple", "get-tuple-element", "bitcast", "after-all"}


@dataclasses.dataclass
class Costs:
    """The costs on one device.

    **Fields:**

    - `flops`: operations of matrix products.
    - `hbm_bytes`: bytes that instructions read from and write to HBM, without what stays in the
        core's own memory.
    - `num_collectives`: number of collectives by kind.
    - `collective_bytes`: bytes that a device receives from them, by kind.
    """

    flops: float = 0.0
    hbm_bytes: float = 0.0
    num_collectives: Counter[str] = dataclasses.field(default_factory=Counter)
    collective_bytes: Counter[str] = dataclasses.field(default_factory=Counter)

    def add(self, other: Costs, times: int = 1) -> None:
        """Add the costs of something that runs `times` times."""
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
    - `max_trip_counts`: maximum trip counts of loops whose trip count depends on data, by nesting
        depth, outermost first; deeper ones count once.
    """
    return _Counter(module, max_trip_counts).of(module.entry, 0)


class _Counter:
    def __init__(self, module: HloModule, max_trip_counts: Sequence[int]):
        self._module, self._max_trip_counts = module, max_trip_counts
        self._counted: set[Hashable] = set()

    def of(self, name: str, depth: int, in_fusion: bool = False) -> Costs:
        """Costs of a computation nested in `depth` data-dependent loops."""
        computation, total = self._module.computations[name], Costs()
        for instruction in computation.values():
            total.flops += product_flops(instruction, computation)
            if not in_fusion and instruction.op not in _FREE | {"while", "conditional", "call"}:
                total.hbm_bytes += traffic(self._module, instruction, computation)
            self._count_exchange(name, instruction, total)
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

    def _count_exchange(self, within: str, instruction: HloInstruction, total: Costs) -> None:
        kind = instruction.op.removesuffix("-start")
        if kind not in COLLECTIVES:
            return
        # A fused collective appears again in each fusion that it overlaps with. Channels alone do
        # not tell: collectives that the compiler combined may have the same.
        channel = instruction.attribute("channel_id")
        sizes = tuple((shape.dtype, shape.sizes) for shape in instruction.shapes)
        if channel is not None and (channel, kind, sizes) in self._counted:
            return
        self._counted.add((channel, kind, sizes))
        if within.startswith("all-reduce-scatter"):  # a TPU fuses the reduction and the slices
            kind = "reduce-scatter"
        total.num_collectives[kind] += 1
        total.collective_bytes[kind] += received_bytes(kind, instruction, self._module.num_devices)


def _branches(instruction: HloInstruction) -> Iterator[str]:
    listed = instruction.attribute_list("branch_computations")
    if listed:
        return iter(re.findall(r"[\w.\-]+", listed))
    pair = (instruction.attribute(f"{which}_computation") for which in ("true", "false"))
    return iter([name for name in pair if name])
