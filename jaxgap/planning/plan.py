"""The plan of a round: the resources of each step, and the largest sizes that fit."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Container, Iterable
from typing import Any, Literal, NamedTuple

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
"""The steps that must fit for a size to fit. Prefill needs no more memory than decode."""


class Searched(NamedTuple):
    """How large a size may be, among the smallest one times 1, 2, 4, ..., 256.

    **Fields:**

    - `fits`: the largest size that fits; None if not even the smallest does.
    - `too_large`: the next size, which does not fit; None if all fit.
    """

    fits: int | None
    too_large: int | None


@dataclasses.dataclass(frozen=True)
class Plan:
    """The costs of a round.

    **Fields:**

    - `topology`, `mesh`: where it would run.
    - `workload`: the sizes of its steps.
    - `steps`: the costs of each compiled step.
    - `searched`: how many rows per microbatch and candidates per prompt fit, with the workload's
        other sizes unchanged. The search tries powers of two times the fewest rows that divide
        evenly over the mesh, and times one candidate. Empty if not requested.
    """

    topology: str
    mesh: MeshShape
    workload: Workload
    steps: dict[StepName, StepCosts]
    searched: dict[Field, Searched]

    @property
    def chip(self) -> Chip:
        """The type of chip."""
        return chip_of(self.topology)

    @property
    def too_large(self) -> list[StepName]:
        """The steps that do not fit."""
        return [name for name, step in self.steps.items() if not step.fits(self.chip)]

    def deciding(self, field: Field) -> list[StepName]:
        """The steps that had to fit for a size of this field to fit."""
        return deciding(field, self.steps)

    def to_dict(self) -> dict[str, Any]:
        """The plan as a JSON-compatible dict."""
        return {
            "topology": self.topology,
            "mesh": self.mesh._asdict(),
            "chip": self.chip._asdict(),
            "workload": dataclasses.asdict(self.workload),
            "steps": {name: step.to_dict(self.chip) for name, step in self.steps.items()},
            "searched": {
                field: found._asdict() | {"steps": self.deciding(field)}
                for field, found in self.searched.items()
            },
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
    """Compile a round's steps for a topology that need not be present, and count their costs.

    **Arguments:**

    - `config`: the decoder's shape; weights are not needed.
    - `topology`: such as `v5e:4x4`.
    - `workload`: the sizes of the steps.
    - `shape`: the shape of the mesh; by default parameters are sharded over all devices (`fsdp`).
    - `names`: the steps to compile; each takes from seconds to minutes.
    - `search`: also search for the largest sizes that fit, with a few compilations each.
    - `on_step`: called with a line before each compilation.

    **Raises:** `InputError` if the topology, the mesh or the workload is invalid, no step is named,
    or none of them determines a size that is searched for.
    """
    names = list(names)
    if not names:
        raise InputError(f"a plan needs at least one of the steps {', '.join(STEP_NAMES)}")
    if search and not any(deciding(field, names) for field in _DECIDING):
        raise InputError("a search needs at least one of the steps update, decode and score")
    devices = describe(topology)
    shape = MeshShape(fsdp=len(devices)) if shape is None else shape
    mesh = make_mesh(shape, devices)
    _check_rows(workload, shape)
    if workload.prompt_length + workload.completion_length > config.context_length:
        raise InputError(f"prompt and completion exceed the context of {config.context_length}")
    steps, chip = Steps(config, mesh), chip_of(topology)

    @functools.cache
    def costs_of(name: StepName, sizes: Workload) -> StepCosts:
        on_step(f"compiling {name}{_difference(workload, sizes)}")
        return getattr(steps, name)(sizes)

    def fits(field: Field, size: int) -> bool:
        sizes = dataclasses.replace(workload, **{field: size})
        return all(costs_of(name, sizes).fits(chip) for name in deciding(field, names))

    costs: dict[StepName, StepCosts] = {name: costs_of(name, workload) for name in names}
    smallest: dict[Field, int] = {"rows": shape.num_row_shards, "num_candidates": 1}
    searched: dict[Field, Searched] = {
        field: search_sizes(size, functools.partial(fits, field))
        for field, size in smallest.items()
        if search and deciding(field, names)
    }
    return Plan(topology, shape, workload, costs, searched)


def _difference(workload: Workload, other: Workload) -> str:
    """How another workload differs, for a progress message."""
    sizes = {field: getattr(other, field) for field in _DECIDING}
    return "".join(
        f" with {field} {size}" for field, size in sizes.items() if size != getattr(workload, field)
    )


def deciding(field: Field, names: Container[StepName]) -> list[StepName]:
    """The steps among `names` that must fit for a size of this field to fit."""
    return [name for name in _DECIDING[field] if name in names]


def search_sizes(smallest: int, fits: Callable[[int], bool]) -> Searched:
    """The largest of `smallest` times 1, 2, 4, ..., 256 that fits, by bisection.

    If a size fits, so does every smaller one.

    >>> search_sizes(3, lambda size: size <= 50)
    Searched(fits=48, too_large=96)
    """
    low, high = -1, _MOST_DOUBLINGS + 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(smallest << middle) else (low, middle)
    return Searched(
        smallest << low if low >= 0 else None,
        smallest << high if high <= _MOST_DOUBLINGS else None,
    )


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
