"""The plan of a round: what each step takes of a chip, and what is the most that fits."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Sequence, Set
from typing import Any, Literal

from jaxgap.errors import InputError
from jaxgap.models import DecoderConfig
from jaxgap.planning.chips import Chip, chip_of, describe
from jaxgap.planning.compiled import StepCosts
from jaxgap.planning.steps import Steps
from jaxgap.planning.workload import STEP_NAMES, StepName, Workload
from jaxgap.sharding import MeshShape, make_mesh

_MOST_DOUBLINGS = 8
Field = Literal["rows", "num_candidates"]
_DECIDING: dict[Field, tuple[StepName, ...]] = {
    "rows": ("update",),
    "num_candidates": ("decode", "score"),
}
"""The steps that must fit for a size to fit. Prefill holds no more than decoding reads."""


@dataclasses.dataclass(frozen=True)
class Plan:
    """What a round would take.

    **Fields:**

    - `topology`, `mesh`: where it would run.
    - `workload`: what it would do.
    - `steps`: the costs of each step that was compiled.
    - `largest`: the most rows of a microbatch and candidates of a prompt that fit, of those tried:
        the workload's own times powers of two. Empty if not asked for; 0 where none fits.
    """

    topology: str
    mesh: MeshShape
    workload: Workload
    steps: dict[StepName, StepCosts]
    largest: dict[Field, int]

    @property
    def chip(self) -> Chip:
        """What each device is."""
        return chip_of(self.topology)

    @property
    def too_large(self) -> list[StepName]:
        """The steps that do not fit."""
        return [name for name, step in self.steps.items() if not step.fits(self.chip)]

    def to_dict(self) -> dict[str, Any]:
        """The same as JSON."""
        return {
            "topology": self.topology,
            "mesh": self.mesh._asdict(),
            "chip": self.chip._asdict(),
            "workload": dataclasses.asdict(self.workload),
            "steps": {name: step.to_dict(self.chip) for name, step in self.steps.items()},
            "largest": dict(self.largest),
        }


def make_plan(
    config: DecoderConfig,
    topology: str,
    workload: Workload,
    shape: MeshShape | None = None,
    *,
    names: Iterable[StepName] = STEP_NAMES,
    search: bool = False,
    on_step: Callable[[str], None] = lambda line: None,
) -> Plan:
    """Compile a round's steps for a topology that is not there, and count.

    **Arguments:**

    - `config`: the decoder's shape; weights are not needed.
    - `topology`: as `v5e:4x4`.
    - `workload`: the sizes of the steps.
    - `shape`: of the mesh; by default parameters are cut over all devices (`fsdp`).
    - `names`: the steps to compile; each takes from seconds to minutes.
    - `search`: look for the largest sizes that fit these steps as well, with a few compilations
        each.
    - `on_step`: told before each compilation.

    **Raises:** `InputError` if the topology, the mesh or the workload cannot be.
    """
    devices = describe(topology)
    shape = MeshShape(fsdp=len(devices)) if shape is None else shape
    mesh = make_mesh(shape, devices)
    _check_rows(workload, shape)
    if workload.prompt_length + workload.completion_length > config.context_length:
        raise InputError(f"prompt and completion exceed the context of {config.context_length}")
    steps, chip = Steps(config, mesh), chip_of(topology)

    def compiled(name: StepName, workload: Workload, how: str = "") -> StepCosts:
        on_step(f"compiling {name}{how}")
        return getattr(steps, name)(workload)

    costs: dict[StepName, StepCosts] = {}
    for name in names:
        costs[name] = compiled(name, workload)
    largest = _largest(workload, shape, chip, set(costs), compiled) if search else {}
    return Plan(topology, shape, workload, costs, largest)


def _largest(
    workload: Workload,
    shape: MeshShape,
    chip: Chip,
    names: Set[StepName],
    compiled: Callable[[StepName, Workload, str], StepCosts],
) -> dict[Field, int]:
    """The largest size of each field with which all of these steps fit that it decides about."""
    largest: dict[Field, int] = {}
    for field, deciding in _DECIDING.items():
        asked: list[StepName] = [name for name in deciding if name in names]

        def fits(size: int, field: Field = field, asked: Sequence[StepName] = asked) -> bool:
            tried = dataclasses.replace(workload, **{field: size})
            return all(compiled(name, tried, f" with {field} {size}").fits(chip) for name in asked)

        if asked:
            largest[field] = largest_that_fits(shape.num_row_shards if field == "rows" else 1, fits)
    return largest


def largest_that_fits(smallest: int, fits: Callable[[int], bool]) -> int:
    """The largest of `smallest` times 1, 2, 4, ..., 256 that fits; 0 if none does.

    What fits at one size fits at every smaller one, so halving the range finds it.

    >>> largest_that_fits(3, lambda size: size <= 50)
    48
    """
    low, high = -1, _MOST_DOUBLINGS + 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(smallest << middle) else (low, middle)
    return smallest << low if low >= 0 else 0


def _check_rows(workload: Workload, shape: MeshShape) -> None:
    for what, rows in (
        ("rows", workload.rows),
        ("prompts_per_call", workload.prompts_per_call),
    ):
        if rows % shape.num_row_shards:
            raise InputError(
                f"{what} must be a multiple of the mesh's data x fsdp = {shape.num_row_shards}, "
                f"got {rows}"
            )
