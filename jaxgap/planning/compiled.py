"""A step compiled for a device, and its costs."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from typing import Any

import jax

from jaxgap.planning.chips import Chip
from jaxgap.planning.costs import Costs, count_costs
from jaxgap.planning.hlo import parse_module

_UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}
_OUT_OF_MEMORY = "RESOURCE_EXHAUSTED"
_NEEDED = re.compile(
    r"Used ([\d.]+)([KMGT]?) of [\d.]+[KMGT]? hbm"
    r"|memory required for HLO temporaries \(([\d.]+)([KMGT]?)\)",
    re.IGNORECASE,
)


@dataclasses.dataclass(frozen=True)
class StepCosts:
    """The costs of a step on each chip.

    **Fields:**

    - `memory_bytes`: peak memory while it runs: arguments, results, temporaries, code, and
        `held_bytes`.
    - `held_bytes`: what the run keeps in memory besides the step's arguments.
    - `costs`: operations, traffic and collectives; None if the compiler rejected the step for lack
        of memory.
    """

    memory_bytes: int
    held_bytes: int
    costs: Costs | None

    def fits(self, chip: Chip) -> bool:
        """Whether the step fits in a chip's memory."""
        return self.costs is not None and self.memory_bytes <= chip.hbm_bytes

    def least_seconds(self, chip: Chip) -> dict[str, float]:
        """Time of each part of the chip at its peak rate; the step takes at least the longest.

        All links are assumed to be busy at once, the best case for a collective, and a device to
        receive no more than what it lacks (:func:`jaxgap.planning.exchanges.received_bytes`).
        """
        if self.costs is None:
            return {}
        exchanged = sum(self.costs.collective_bytes.values())
        return {
            "products": self.costs.flops / chip.flops,
            "memory": self.costs.hbm_bytes / chip.hbm_rate,
            "links": exchanged / chip.link_rate,
        }

    def repeated(self, times: int) -> StepCosts:
        """The costs of running the step several times in sequence, in the same memory."""
        if self.costs is None:
            return self
        costs = Costs()
        costs.add(self.costs, times)
        return dataclasses.replace(self, costs=costs)

    def to_dict(self, chip: Chip) -> dict[str, Any]:
        """The costs as a JSON-compatible dict."""
        form: dict[str, Any] = {
            "fits": self.fits(chip),
            "memory_bytes": self.memory_bytes,
            "held_bytes": self.held_bytes,
        }
        if self.costs is None:
            return form
        return form | {
            "flops": self.costs.flops,
            "hbm_bytes": self.costs.hbm_bytes,
            "num_collectives": dict(self.costs.num_collectives),
            "collective_bytes": dict(self.costs.collective_bytes),
            "least_seconds": self.least_seconds(chip),
        }


def compile_step(traced: Any, held_bytes: int, max_trip_counts: Sequence[int]) -> StepCosts:
    """Compile a traced step and count its costs, which are None if it does not fit.

    **Arguments:**

    - `traced`: from `jitted.trace(...)`, with arguments on the devices to compile for.
    - `held_bytes`: what the run keeps on each chip besides the step's arguments.
    - `max_trip_counts`: as in :func:`count_costs`.
    """
    try:
        compiled = traced.lower(lowering_platforms=("tpu",)).compile()
    except jax.errors.JaxRuntimeError as error:
        needed = needed_bytes(str(error))
        if needed is None:
            raise
        return StepCosts(needed + held_bytes, held_bytes, None)
    memory = compiled.memory_analysis()
    used = (
        memory.argument_size_in_bytes
        + memory.output_size_in_bytes
        - memory.alias_size_in_bytes
        + memory.temp_size_in_bytes
        + memory.generated_code_size_in_bytes
    )
    costs = count_costs(parse_module(compiled.as_text()), max_trip_counts)
    return StepCosts(used + held_bytes, held_bytes, costs)


def needed_bytes(message: str) -> int | None:
    """The memory that a rejected program needs; None if it was rejected for another reason.

    >>> needed_bytes("RESOURCE_EXHAUSTED: Ran out of memory: Used 20.0G of 15.75G hbm.") // 2**30
    20
    """
    found = _NEEDED.search(message)
    if _OUT_OF_MEMORY not in message or found is None:
        return None
    number, unit = found.group(1, 2) if found.group(1) else found.group(3, 4)
    return int(float(number) * _UNITS[unit.upper()])
