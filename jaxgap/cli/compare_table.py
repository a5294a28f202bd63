"""Many runs as one table for the terminal, and the pooled numbers of each experiment's seeds."""

import math
from collections.abc import Iterable, Mapping

from rich.box import SIMPLE_HEAD
from rich.table import Table

from jaxgap.cli.remarks import Remarks
from jaxgap.cli.tables import limit_cell, print_warnings, unsaid
from jaxgap.cli.terminal import Terminal
from jaxgap.fitting import Estimate, FitResult
from jaxgap.fitting.pooling import Interval
from jaxgap.fitting.results.number_words import counted, number, percent
from jaxgap.fitting.results.objection import objection
from jaxgap.workflows.compare import ComparedRun, Comparison
from jaxgap.workflows.pooled import PooledGroup

_GROUPED_BY = {
    "pattern": "by --group",
    "name": "by their names, or by the record where a name has no seed",
    "settings": "by their records, which differ in the seed alone",
}
# The quantity whose standard deviation the spread is, if not the number itself.
_SPREAD_OF = {"identity": "", "log": "\nof its logarithm", "logit": "\nof its logit"}
_DIGITS = 3


def print_comparison(console: Terminal, found: Comparison) -> None:
    """Print one line per run, the remarks behind its letters, and the pooled groups."""
    remarks = Remarks()
    kinds = {(run.result.kind, run.result.time_unit) for run in found.runs}
    table = Table(
        title=f"{counted(len(found.runs), 'run')}, {found.runs[0].result.model} law, "
        f"{percent(found.level)} intervals",
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        pad_edge=False,
    )
    table.add_column("run", overflow="fold")
    for heading in ("n", "solver's limit", "rate", "ratio", "R²"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("remarks")
    for run in found.runs:
        result = run.result
        ratio, rate = (_parameter(result, name) for name in ("ratio", "rate"))
        table.add_row(
            run.name,
            str(result.num_points),
            limit_cell(result, _DIGITS),
            number(rate.estimate, _DIGITS),
            number(ratio.estimate, _DIGITS),
            number(result.r2["solver"], _DIGITS),
            " ".join(remarks.letters(_remarks_on(run, several_kinds=len(kinds) > 1))),
        )
    console.print(table)
    remarks.show(console)
    for group in found.groups:
        _print_group(console, group, _GROUPED_BY[found.grouped_by])
    if not found.groups and len(found.runs) > 1:
        console.print("No two of these runs are seeds of one experiment.")
    for each in found.unreadable:
        console.print(f"Could not be read: {each.problem}", style="red")


def _parameter(result: FitResult, name: str) -> Estimate:
    """A parameter, absent if the law has no such parameter or the fit did not converge."""
    absent = Estimate.absent("")
    return result.parameters.get(name, absent) if result.converged else absent


def _remarks_on(run: ComparedRun, several_kinds: bool) -> Iterable[str]:
    """Remarks for the reader of a run's line."""
    result = run.result
    if several_kinds:
        yield f"{result.kind} over {result.time_unit}s"
    limit = result.limits["solver"]
    reason = limit.reason
    # A refuted limit is among the warnings, and so is a fit that failed.
    warned = limit.identifiability == "refuted" or not result.converged
    if reason is not None and limit.estimate is None and not warned:
        yield f"limit withheld because {reason}"
    yield from run.notes
    yield from result.warnings
    against = objection(result)
    if against is not None and result.converged and not _repeats_a_warning(against, result):
        yield f"{against[0].lower()}{against[1:].removesuffix('.')}"


def _repeats_a_warning(against: str, result: FitResult) -> bool:
    return len(unsaid(result.warnings, [against])) < len(result.warnings)


def _print_group(console: Terminal, group: PooledGroup, how: str) -> None:
    """Print the pooled numbers of one experiment."""
    table = Table(
        title=f"{group.name}: {len(group.runs)} seeds pooled",
        box=SIMPLE_HEAD,
        pad_edge=False,
    )
    table.add_column("", no_wrap=True)
    for heading in ("mean of seeds", "spread between seeds", "next seed"):
        table.add_column(heading, justify="right", no_wrap=True)
    for name, pooled in group.numbers.items():
        of_what = _SPREAD_OF[pooled.scale] if pooled.spread is not None else ""
        spread = _pair(pooled.spread, "\n") + of_what
        table.add_row(name, _pair(pooled.mean, "\n"), spread, _range(pooled.next_run))
    console.print(table)
    console.print(f"Seeds were grouped {how}.")
    for name, pooled in group.numbers.items():
        if pooled.reason is not None:
            console.print(f"{name}: {pooled.reason}", style="dim")
        elif pooled.left_out:
            console.print(f"{name}: {_left_out(pooled.left_out, len(group.runs))}", style="dim")
    limits = group.numbers["limit"].runs.items()
    if limits:
        said = ", ".join(f"{run} {_pair(limit, ' ')}" for run, limit in limits)
        console.print(f"Limits, each informed by the other seeds: {said}.")
    print_warnings(console, _doubts(group))


def _left_out(left_out: Mapping[str, str], num_runs: int) -> str:
    """How many seeds a number is based on, and why the others do not contribute."""
    said = "; ".join(f"{run}: {why}" for run, why in left_out.items())
    return f"from {num_runs - len(left_out)} of {num_runs} runs, without {said}"


def _doubts(group: PooledGroup) -> Iterable[str]:
    """What speaks against pooling these seeds: their lengths, and seeds off the law."""
    yield from group.warnings
    astray = group.not_described
    if astray and any(pooled.mean is not None for pooled in group.numbers.values()):
        yield (
            f"the law does not describe {len(astray)} of these {len(group.runs)} runs, whose "
            f"numbers are pooled all the same: {', '.join(astray)}"
        )


def _pair(pooled: Interval | None, between: str) -> str:
    if pooled is None:
        return "–"
    return f"{number(pooled.estimate, _DIGITS)}{between}{_range(pooled)}"


def _range(pooled: Interval | None) -> str:
    if pooled is None:
        return "–"
    high = f"{number(pooled.high, _DIGITS)}]" if math.isfinite(pooled.high) else "open)"
    return f"[{number(pooled.low, _DIGITS)}, {high}"
