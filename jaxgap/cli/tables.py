"""Results as tables for the terminal."""

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from jaxgap.fitting import FitResult
from jaxgap.report.words import estimate_rows, limit_sentence, r2_sentence


def print_fit(console: Console, result: FitResult) -> None:
    """Every parameter and limit with its uncertainty, and what to beware of."""
    table = Table(title=f"{result.model} law, {result.num_points} points", box=SIMPLE_HEAD)
    table.add_column("")
    for heading in ("estimate", "std. error", f"{result.level:.0%} interval"):
        table.add_column(heading, justify="right", no_wrap=True)
    for name, *numbers, _ in estimate_rows(result):
        table.add_row(name, *numbers)
    console.print(table)
    for name, value in {**result.parameters, **result.limits}.items():
        if value.reason is not None:
            console.print(f"{name}: {value.reason}", style="dim", highlight=False)
    console.print(r2_sentence(result), highlight=False)
    console.print(result.stopped[0].upper() + result.stopped[1:] + ".", highlight=False)
    console.print(limit_sentence(result), style="bold", highlight=False)
    print_warnings(console, result)


def print_warnings(console: Console, result: FitResult) -> None:
    """What a reader has to know before believing the rest."""
    for warning in result.warnings:
        console.print(f"[yellow]Beware:[/] {warning}", highlight=False)
