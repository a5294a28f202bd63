"""A bench as two tables for the terminal, each narrow enough for 80 columns."""

from collections.abc import Mapping, Sequence

from rich.box import SIMPLE_HEAD
from rich.table import Table

from jaxgap.cli.option_names import in_options
from jaxgap.cli.tables import limit_cell
from jaxgap.cli.terminal import Terminal
from jaxgap.fitting import Estimate, FitResult
from jaxgap.fitting.results.number_words import number
from jaxgap.fitting.results.objection import objection
from jaxgap.report.words import REJECTED, REJECTED_MEANING
from jaxgap.run_files import TIMINGS_FILE
from jaxgap.workflows.bench import Bench
from jaxgap.workflows.bench_row import BenchRow, Gain
from jaxgap.workflows.bench_setting import OverSeeds, Setting
from jaxgap.workflows.pooled import MIN_BOUNDED

_DIGITS = 3
_GAINS = ("accuracy", "points gained", "tokens\n/ point", "FLOPs\n/ point", "seconds\n/ point")
_LAWS = ("rate", "ratio", "solver's limit", "warnings")


def print_bench(console: Terminal, found: Bench) -> None:
    """Print gains and costs, the fitted laws, means over seeds, and failures."""
    rows, means = found.rows, found.means
    title = "Held-out accuracy, points gained ± standard error, and cost per point"
    gains = [_gain(row.name, row) for row in rows]
    mean_gains = [_gain(_name(setting), setting) for setting in means]
    console.print(_table(title, _GAINS, gains, mean_gains))
    title = "The law fitted to each run"
    laws, mean_laws = [*map(_law, rows)], [*map(_mean_law, means)]
    console.print(_table(title, _LAWS, laws, mean_laws))
    if means:
        console.print("n: mean over n seeds, ± standard error over seeds.", style="dim")
    if any("?" in cell for cells in (*gains, *mean_gains) for cell in cells[1:]):
        console.print("?: the 95% interval of the gain includes zero.", style="dim")
    if any("*" in cell for cells in laws for cell in cells[1:]):
        console.print("*: the run does not bound this number.", style="dim")
    few = [value for setting in means for value in setting.law.values() if value.mean is None]
    if few:
        said = "no mean: only k of the n runs bound this number"
        poolable = any(value.num >= MIN_BOUNDED for value in few)
        pools = f"; jaxgap compare pools {MIN_BOUNDED} or more" if poolable else ""
        console.print(f"(k of n): {said}{pools}.", style="dim")
    if any(objection(row.result) is not None for row in rows):
        console.print(f"{REJECTED}: {REJECTED_MEANING}.", style="dim")
    if any(row.result.warnings for row in rows):
        console.print("The warnings of the fits are in bench.json.", style="dim")
    untimed = [row.name for row in rows if row.seconds is None]
    if untimed:
        said = "lacks readable times of some stage, so seconds are missing"
        console.print(f"{TIMINGS_FILE} of {', '.join(untimed)} {said}.", style="dim")
    for name, why in found.failed.items():
        console.print(f"{name} failed: {in_options(why)}", style="red")


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
    costs = _costs(of.cost_per_point, of.gained.is_doubtful)
    return [name, _from_to(*of.accuracy), _points(of.gained), *costs]


def _law(row: BenchRow) -> list[str]:
    result = row.result
    limit = limit_cell(result, _DIGITS) + _mark(result.limits["solver"])
    rate, ratio = (_parameter(result, name) for name in ("rate", "ratio"))
    rejected = "" if objection(result) is None else f"{REJECTED} "
    return [row.name, rate, ratio, limit, f"{rejected}{len(result.warnings)}"]


def _parameter(result: FitResult, name: str) -> str:
    value = result.parameters[name]
    return number(value.estimate, _DIGITS) + _mark(value) if result.converged else "–"


def _mark(value: Estimate) -> str:
    """The mark after an estimate that the data do not determine, such as one on its bound."""
    bounded = value.estimate is None or value.identifiability == "identifiable"
    return "" if bounded else "*"


def _mean_law(setting: Setting) -> list[str]:
    num = len(setting.rows)
    return [_name(setting), *(_mean(value, num) for value in setting.law.values()), ""]


def _mean(value: OverSeeds, num_seeds: int) -> str:
    """The mean, or else how few seeds bound the number."""
    if value.mean is None:
        return f"– ({value.num} of {num_seeds})"
    text = number(value.mean, _DIGITS)
    return text if value.stderr is None else f"{text} ± {value.stderr:.2g}"


def _name(setting: Setting) -> str:
    return f"{setting.name} (n={len(setting.rows)})"


def _from_to(first: float, last: float) -> str:
    return f"{first:.1%} → {last:.1%}"


def _points(gained: Gain) -> str:
    return f"{gained.mean:+.1f} ± {gained.stderr:.1f}"


def _costs(costs: Mapping[str, float | None], doubtful: bool) -> list[str]:
    mark = "?" if doubtful else ""
    return ["–" if cost is None else f"{cost:.2g}{mark}" for cost in costs.values()]
