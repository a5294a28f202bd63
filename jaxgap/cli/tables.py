"""Results as tables for the terminal."""

from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from jaxgap.fitting.fit_report import limit_sentence, number

if TYPE_CHECKING:
    from jaxgap.fitting import FitResult
    from jaxgap.fitting.backtesting import BacktestReport
    from jaxgap.fitting.forecasting import Forecast
    from jaxgap.fitting.selection import AveragedResult


def print_fit(console: Console, result: "FitResult | AveragedResult") -> None:
    """The report of a fit, its limit in bold."""
    limit = limit_sentence(result)
    before, _, after = result.report().partition(limit)
    console.print(before, end="", highlight=False, markup=False)
    console.print(limit, style="bold", highlight=False, markup=False, end="")
    console.print(after, highlight=False, markup=False)


def print_warnings(console: Console, result: "FitResult") -> None:
    """What a reader has to know before believing the rest."""
    for warning in result.warnings:
        console.print(f"[yellow]Beware:[/] {warning}", highlight=False)


def print_forecast(console: Console, result: "Forecast") -> None:
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
    console.print(f"Shapes of curve by weight: {said}", highlight=False)
    console.print(f"[bold]{result.advice.verdict}[/]: {result.advice.why}", highlight=False)
    for warning in result.warnings:
        console.print(f"[yellow]Beware:[/] {warning}", highlight=False)


def print_backtest(console: Console, report: "BacktestReport") -> None:
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
            highlight=False,
        )
