"""Results for the terminal: tables, notes and warnings."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from jaxgap.cli.option_names import in_options
from jaxgap.cli.terminal import Terminal
from jaxgap.fitting.results.number_words import (
    counted,
    duration,
    estimated,
    interval,
    number,
    percent,
)
from jaxgap.fitting.results.objection import objection
from jaxgap.fitting.results.sentences import limit_sentence, time_left_sentence
from jaxgap.report.words import unopposed, untested
from jaxgap.trajectory import Trajectory
from jaxgap.trajectory.reading_notes import reading_notes

if TYPE_CHECKING:
    from jaxgap.fitting import FitResult
    from jaxgap.fitting.backtesting import BacktestReport
    from jaxgap.fitting.forecasting import Forecast
    from jaxgap.fitting.selection import AveragedResult

_UNITS = {"fraction": "accuracy", "percent": "percent", "nats": "nats"}


def print_fit(console: Terminal, result: "FitResult | AveragedResult") -> None:
    """Print the report of a fit, with its limit in bold."""
    limit = limit_sentence(result)
    before, _, after = result.report().partition(limit)
    console.print(before, end="")
    console.print(limit, style="bold", end="")
    console.print(in_options(after))


def limit_cell(result: "FitResult", digits: int) -> str:
    """The solver's limit with its interval, or briefly why it is not given."""
    limit = result.limits["solver"]
    if not result.converged:
        return "not fitted"
    if limit.identifiability == "refuted":
        return "already beyond it"
    if limit.estimate is None:
        return f"withheld {interval(limit, digits)}" if limit.interval else "withheld"
    return f"{estimated(limit, digits)} {interval(limit, digits)}"


def print_notes(console: Terminal, run: Trajectory) -> None:
    """Print how the file was converted to a run, one note per line."""
    for note in reading_notes(run):
        console.print(f"Note: {in_options(note)}", style="dim")


def print_warnings(console: Terminal, warnings: Iterable[str]) -> None:
    """Print what a reader must know before trusting the rest."""
    for warning in warnings:
        _warn(console, warning)


def unsaid(warnings: Iterable[str], said: Iterable[str]) -> list[str]:
    """The warnings that no sentence contains, ignoring the case of their first letter."""
    return [each for each in warnings if not any(each[1:] in sentence for sentence in said)]


def print_forecast(console: Terminal, result: "Forecast") -> None:
    """Print the forecast of each series, the remaining gain, and the advice."""
    title = f"At {counted(result.horizon, result.time_unit)}, for one measurement"
    table = Table(title=title, box=SIMPLE_HEAD)
    for heading in ("", "mean", "median", f"{percent(result.level)} interval"):
        table.add_column(heading, justify="right" if heading else "left", no_wrap=True)
    found = {name: getattr(result, name) for name in ("solver", "verifier", "gap")}
    shown = {name: series for name, series in found.items() if series is not None}
    for name, series in shown.items():
        low, high = series.interval
        bounds = f"[{number(low)}, {number(high)}]"
        table.add_row(name, number(series.mean), number(series.median), bounds)
    console.print(table)
    unknown = [name for name, series in shown.items() if series.mean is None]
    if unknown:
        console.print(
            f"No mean of the {' or the '.join(unknown)}: it is outside of the interval, as a few "
            "draws decide it."
        )
    shapes = sorted(result.weights.items(), key=lambda item: -item[1])
    said = ", ".join(f"{name} {weight:.0%}" for name, weight in shapes if weight >= 0.01)
    console.print(f"Weights of the shapes of curve: {said}")
    console.print(f"{rounds_left_words(result)}.")
    if result.advice.cost is not None:
        console.print(f"{_next_gain_words(result)}.")
    console.print(Text.assemble((result.advice.verdict, "bold"), f": {result.advice.why}"))
    print_warnings(console, result.warnings)


def print_unopposed(console: Terminal, result: "FitResult", epsilon: float | None) -> None:
    """Print the prediction of a law that no test rejects, though slower shapes outweigh it.

    Of a law that could not be tested, say so. `epsilon` is how near the limit counts as there.
    """
    if objection(result) is None and untested(result):
        console.print(
            f"{result.num_points} rows are too few to test the {result.model} law, so its "
            "prediction is not shown."
        )
    elif unopposed(result) and (left := time_left_sentence(result, epsilon)) is not None:
        console.print(
            f"Under the {result.model} law, against which nothing in these rows speaks: "
            f"{limit_sentence(result)} {left}"
        )


def rounds_left_words(result: "Forecast") -> str:
    """The time until the solver is near its limit, or why it is unknown."""
    left, unit = result.rounds_left, f"{result.time_unit}s"
    within = f"to within {number(left.epsilon, 2)} of the limit"
    if left.median is None:
        return f"Rounds left {within}: {left.reason}"
    low, high = (duration(end) if end is not None else "open" for end in left.interval)
    why_open = "" if left.reason is None else f"; {left.reason}"
    return (
        f"Rounds left {within}: about {duration(left.median)} {unit}, "
        f"{percent(result.level)} interval {low} to {high}{why_open}"
    )


def _next_gain_words(result: "Forecast") -> str:
    """The gain of one more round, in the unit of its cost."""
    advice = result.advice
    low, high = (number(end, 2) for end in advice.next_gain_interval)
    return (
        f"The next round ({counted(advice.round_length, result.time_unit)}) gains "
        f"{number(advice.next_gain, 2)}, {percent(result.level)} interval [{low}, {high}]"
    )


def print_backtest(console: Terminal, report: "BacktestReport") -> None:
    """Print mean absolute errors beside the baselines', by folder and prefix, and coverage."""
    from jaxgap.fitting.backtesting.backtest import TOO_SHORT

    summaries = report.summaries()
    names = list(summaries[0]["mae"]) if summaries else []
    # Without padding, so that most names are whole in 80 columns.
    table = Table(title="Mean absolute errors", box=SIMPLE_HEAD, padding=0, pad_edge=False)
    table.add_column("runs", overflow="fold")
    table.add_column("of", no_wrap=True)
    for heading in ("at", "n", *names, "cover"):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in summaries:
        errors = [number(row["mae"][name], 2) for name in names]
        scored = (f"{row['prefix']:g}", str(row["num"]), *errors, f"{row['coverage']:.0%}")
        table.add_row(row["group"], _UNITS[row["unit"]], *scored)
    console.print(table)
    if report.coverage is not None:
        console.print(
            f"{percent(report.level)} intervals contain the truth in {report.coverage:.1%} of "
            f"{len(report.series)} forecasts."
        )
    too_short = sum(entry["reason"] == TOO_SHORT for entry in report.left_out)
    if too_short:
        console.print(f"{too_short} more were not made: {TOO_SHORT}.")
    for entry in report.left_out:
        if entry["reason"] != TOO_SHORT:
            at = "" if entry["prefix"] is None else f" at {entry['prefix']:g}"
            _warn(console, f"{entry['file']} is left out{at}: {entry['reason']}")


def _warn(console: Terminal, warning: str) -> None:
    console.print(Text.assemble(("Warning:", "yellow"), f" {in_options(warning)}"))
