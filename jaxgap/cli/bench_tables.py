"""A bench as two tables for the terminal, each narrow enough for 80 columns."""

from collections.abc import Mapping, Sequence

from rich.box import SIMPLE_HEAD
from rich.table import Table

from jaxgap.cli.terminal import Terminal
from jaxgap.fitting.fit_report import interval, number
from jaxgap.improve.estimate import Estimate
from jaxgap.workflows.bench import Bench
from jaxgap.workflows.bench_row import BenchRow
from jaxgap.workflows.bench_setting import OverSeeds, Setting

_DIGITS = 3
_GAINS = ("accuracy", "points gained", "tokens\na point", "FLOPs\na point", "seconds\na point")
_LAWS = ("rate", "ratio", "solver's limit", "warnings")


def print_bench(console: Terminal, found: Bench) -> None:
    """What was gained at what cost, the fitted laws, means over seeds, and what failed."""
    rows, means = found.rows, found.means
    title = "Held-out accuracy, points gained ± standard error, and what a point cost"
    gains = [_gain(row.name, row) for row in rows]
    mean_gains = [_gain(_name(setting), setting) for setting in means]
    console.print(_table(title, _GAINS, gains, mean_gains))
    title = "The law fitted to each run"
    console.print(_table(title, _LAWS, [*map(_law, rows)], [*map(_mean_law, means)]))
    if means:
        console.print("n: means of so many seeds, ± standard error over seeds.", style="dim")
    if any(_is_doubtful(each.gained) for each in (*rows, *means)):
        console.print("?: the gain is not beyond two standard errors.", style="dim")
    if any(row.result.warnings for row in rows):
        console.print("The warnings of the fits are in bench.json.", style="dim")
    untimed = [row.name for row in rows if row.seconds is None]
    if untimed:
        said = "has no time of some stage that could be read, and so no seconds"
        console.print(f"timings.jsonl of {', '.join(untimed)} {said}.", style="dim")
    for name, why in found.failed.items():
        console.print(f"{name} failed: {why}", style="red")


def _table(
    title: str,
    headings: Sequence[str],
    runs: Sequence[Sequence[str]],
    means: Sequence[Sequence[str]],
) -> Table:
    table = Table(title=title, box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column("run", overflow="fold")
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap=True)
    for cells in runs:
        table.add_row(*cells)
    table.add_section()
    for cells in means:
        table.add_row(*cells)
    return table


def _gain(name: str, of: BenchRow | Setting) -> list[str]:
    costs = _costs(of.cost_per_point, _is_doubtful(of.gained))
    return [name, _from_to(*of.accuracy), _points(of.gained), *costs]


def _law(row: BenchRow) -> list[str]:
    limit, parameters = row.result.limits["solver"], row.result.parameters
    return [
        row.name,
        number(parameters["rate"].estimate, _DIGITS),
        number(parameters["ratio"].estimate, _DIGITS),
        f"{number(limit.estimate, _DIGITS)} {interval(limit, _DIGITS)}",
        str(len(row.result.warnings)),
    ]


def _mean_law(setting: Setting) -> list[str]:
    num = len(setting.rows)
    return [_name(setting), *(_mean(value, num) for value in setting.law.values()), ""]


def _mean(value: OverSeeds, num_seeds: int) -> str:
    """A mean, and of how many seeds where some do not hold the number."""
    text = number(value.mean, _DIGITS)
    if value.stderr is not None:
        text += f" ± {value.stderr:.2g}"
    return text if value.num in (0, num_seeds) else f"{text} ({value.num} of {num_seeds})"


def _name(setting: Setting) -> str:
    return f"{setting.name} (n={len(setting.rows)})"


def _from_to(first: float, last: float) -> str:
    return f"{first:.1%} → {last:.1%}"


def _points(gained: Estimate) -> str:
    return f"{gained.mean:+.1f} ± {gained.stderr:.1f}"


def _is_doubtful(gained: Estimate) -> bool:
    return abs(gained.mean) <= 2 * gained.stderr


def _costs(costs: Mapping[str, float | None], doubtful: bool) -> list[str]:
    mark = "?" if doubtful else ""
    return ["–" if cost is None else f"{cost:.2g}{mark}" for cost in costs.values()]
