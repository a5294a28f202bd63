"""`jaxgap plan`: the resources that a run would need on TPUs, without having any."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from jaxgap.errors import RunError
from jaxgap.planning.workload import STEP_NAMES, StepName, Workload

if TYPE_CHECKING:
    from jaxgap.cli.terminal import Terminal
    from jaxgap.planning.plan import Plan as RoundPlan
    from jaxgap.planning.plan import Searched

_GIB = 2**30


@dataclasses.dataclass(frozen=True)
class Plan:
    """Estimate the memory, compute and traffic each TPU chip would need, before paying for any.

    The steps of the loop are compiled for the topology from the model's shape alone, without the
    chips: prefill of a call's prompts, the longest call of the decode loop (16 tokens of every
    row), judging of a call's candidates, and an update. For each chip the plan gives memory,
    operations, memory traffic, exchanges with other chips, and the least time that these take at
    the chip's peak rates. The exit status is 1 if a step does not fit.
    """

    model: Annotated[str, tyro.conf.arg(metavar="CONFIG")]
    """A config.json, a folder with one, or SmolLM2-135M, Llama-3.2-3B or Llama-3.1-8B."""
    topology: Annotated[str, tyro.conf.arg(metavar="v5e:4x4")]
    """The chips: v5e, v5p or v6e, and their layout."""
    mesh: Annotated[str | None, tyro.conf.arg(metavar="data=D,fsdp=F,tensor=T")] = None
    """How the work is sharded over them; by default parameters are sharded over all (fsdp)."""
    search: bool = False
    """Also search for the largest number of candidates, and of rows per device, that fits: 1, 2, 4,
    ..., 256. Takes minutes."""
    steps: tuple[StepName, ...] = STEP_NAMES
    """The steps to compile. With billions of parameters each takes minutes."""
    json: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """Write the plan as JSON to this file."""
    workload: tyro.conf.OmitArgPrefixes[Workload] = Workload()

    def run(self) -> None:
        from jaxgap.cli.host_platform import leave_accelerators_alone
        from jaxgap.cli.output import check_outputs, write_json
        from jaxgap.cli.terminal import Terminal
        from jaxgap.planning.known_models import config_file, read_decoder_config
        from jaxgap.planning.plan import make_plan
        from jaxgap.sharding import MeshShape

        check_outputs([config_file(self.model)], json=self.json)
        config = read_decoder_config(self.model)
        shape = None if self.mesh is None else MeshShape.parse(self.mesh)
        leave_accelerators_alone()
        console = Terminal()
        with console.status("compiling") as status:
            plan = make_plan(
                config,
                self.topology,
                self.workload,
                shape,
                names=self.steps,
                search=self.search,
                on_step=status.update,
            )
        _print_plan(console, plan)
        write_json({"model": self.model} | plan.to_dict(), self.json)
        if plan.too_large:
            step = plan.steps[plan.too_large[0]]
            raise RunError(
                f"{plan.too_large[0]} does not fit: it needs {step.memory_bytes / _GIB:.1f} GiB, "
                f"and a chip has {plan.chip.hbm_bytes / _GIB:.2f}; use fewer rows or candidates, "
                "shard the model further, or use more chips"
            )


def _print_plan(console: "Terminal", plan: "RoundPlan") -> None:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    title = f"Per chip of {plan.topology} ({plan.chip.hbm_bytes / _GIB:.2f} GiB)"
    table = Table(title=title, box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("step", no_wrap=True)
    for heading in ("GiB", "TFLOP", "HBM GB", "received GB", "exchanges", "at least"):
        table.add_column(heading, justify="right", no_wrap=True)
    for name, step in plan.steps.items():
        memory = f"{step.memory_bytes / _GIB:.2f}"
        if step.costs is None:
            table.add_row(name, memory, *["-"] * 5)
            continue
        least = step.least_seconds(plan.chip)
        part = max(least, key=lambda name: least[name])
        table.add_row(
            name,
            memory,
            f"{step.costs.flops / 1e12:.3g}",
            f"{step.costs.hbm_bytes / 1e9:.3g}",
            f"{sum(step.costs.collective_bytes.values()) / 1e9:.3g}",
            str(sum(step.costs.num_collectives.values())),
            f"{least[part]:.3g} s ({part})",
        )
    console.print(table)
    for field, found in plan.searched.items():
        steps = " and ".join(plan.deciding(field))
        console.print_line(f"{_option(field)}, for {steps}: {_sizes(found)}")


def _option(field: str) -> str:
    return "--" + field.replace("_", "-")


def _sizes(found: "Searched") -> str:
    """The result of a search; sizes in between were not tried."""
    if found.fits is None:
        return f"not even {found.too_large} fits"
    if found.too_large is None:
        return f"{found.fits} fits; larger was not tried"
    return f"{found.fits} fits, {found.too_large} does not; nothing between was tried"
