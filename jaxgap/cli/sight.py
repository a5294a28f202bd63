"""What is seen of a run under way, in a few lines for each checkpoint."""

from typing import TYPE_CHECKING

from jaxgap.cli.tables import rounds_left_words
from jaxgap.cli.terminal import Terminal
from jaxgap.fitting.fit_report import limit_sentence, number, percent
from jaxgap.report.words import accuracy_sentence

if TYPE_CHECKING:
    from jaxgap.fitting.forecasting import Forecast
    from jaxgap.workflows.watching import Sight


def print_sight(console: Terminal, sight: "Sight") -> None:
    """How far it is, where it is going, and whether to go on."""
    state = "" if sight.at_work else ", and nothing is at work on it"
    head = f"{sight.num_done} of {sight.num_asked} checkpoints{state}"
    console.print(head, style="bold")
    if sight.run is None or sight.result is None or sight.outlook is None:
        console.print("  a fit needs three checkpoints", style="dim")
        return
    lines = [
        accuracy_sentence(sight.run),
        f"By the {sight.result.model} law: {limit_sentence(sight.result)}",
        *_ahead(sight.outlook),
    ]
    for line in filter(None, lines):
        console.print(f"  {line}")


def _ahead(outlook: "Forecast") -> list[str]:
    median, low, high = (
        number(value, 3) for value in (outlook.solver.median, *outlook.solver.interval)
    )
    return [
        f"By curves of several shapes: U_s {median} at {outlook.horizon:g}, "
        f"{percent(outlook.level)} interval [{low}, {high}].",
        f"{rounds_left_words(outlook)}.",
        f"{outlook.advice.verdict}: {outlook.advice.why}.",
    ]
