"""Results as tables for the terminal."""

from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from jaxgap.cli.terminal import Terminal
from jaxgap.fitting.fit_report import limit_sentence, number

if TYPE_CHECKING:
    from jaxgap.fitting import FitResult
    from jaxgap.fitting.backtesting import BacktestReport
    from jaxgap.fitting.forecasting import Forecast
    from jaxgap.fitting.selection import AveragedResult


def print_fit(console: Terminal, result: "FitResult | AveragedResult") -> None:
    """The report of a fit, its limit in bold."""
    limit = limit_sentence(result)
    before, _, after = result.report().partition(limit)
    console.print(before, end="")
    console.print(limit, style="bold", end="")
    console.print(after)


def print_warnings(console: Terminal, result: "FitResult") -> None:
    """What a reader has to know before believing the rest."""
    for warning in result.warnings:
        _beware(console, warning)


def print_forecast(console: Terminal, result: "Forecast") -> None:
    """The forecast of each series, what is left to gain, and the advice."""
    title = f"At {result.horizon:g} {result.time_unit}s, for one measurement"
    table = Table(title=title, box=SIMPLE_HEAD)
    for heading in ("", "mean", "median", f"{result.level:.0%} interval"):
        table.add_column(heading, justify="right" if heading else "left", no_wrap=True)
    for name in ("solver", "verifier", "gap"):
        series = getattr(result, name)
        if series is not None:
            low, high = series.interval
            bounds = f"[{number(low)}, {number(high)}]"
            table.add_row(name, number(series.mean), number(series.median), bounds)
    console.print(table)
    shapes = sorted(result.weights.items(), key=lambda item: -item[1])
    said = ", ".join(f"{name} {weight:.0%}" for name, weight in shapes if weight >= 0.01)
    console.print(f"Shapes of curve by weight: {said}")
    console.print(Text.assemble((result.advice.verdict, "bold"), f": {result.advice.why}"))
    for warning in result.warnings:
        _beware(console, warning)


def print_backtest(console: Terminal, report: "BacktestReport") -> None:
    """Mean absolute errors beside the baselines', by folder and prefix, and coverage."""
    summaries = report.summaries()
    names = list(summaries[0]["mae"]) if summaries else []
    table = Table(title="Mean absolute errors", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("runs", no_wrap=True)
    for heading in ("at", "n", *names, "cover"):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in summaries:
        errors = [number(row["mae"][name], 2) for name in names]
        scored = (f"{row['prefix']:g}", str(row["num"]), *errors, f"{row['coverage']:.0%}")
        table.add_row(row["group"], *scored)
    console.print(table)
    if report.coverage is not None:
        console.print(
            f"{report.level:.0%} intervals hold the truth in {report.coverage:.1%} of "
            f"{len(report.series)} forecasts; {len(report.left_out)} were left out.",
        )
    for entry in report.left_out:
        if entry["prefix"] is None:
            _beware(console, f"{entry['file']} is left out: {entry['reason']}")


def _beware(console: Terminal, warning: str) -> None:
    console.print(Text.assemble(("Beware:", "yellow"), f" {warning}"))
