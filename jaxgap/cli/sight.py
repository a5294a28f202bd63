"""What is seen of a run under way, in a few lines for each checkpoint."""

from typing import TYPE_CHECKING

from jaxgap.cli.terminal import Terminal
from jaxgap.fitting.fit_report import limit_sentence, number
from jaxgap.report.words import accuracy_sentence

if TYPE_CHECKING:
    from jaxgap.fitting.forecasting import Forecast, RoundsLeft
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
    low, high = outlook.solver.interval
    return [
        f"By curves of several shapes: U_s {number(outlook.solver.median, 3)} at "
        f"{outlook.horizon:g}, {outlook.level:.0%} interval [{number(low, 3)}, {number(high, 3)}].",
        f"{_rounds_left(outlook.rounds_left)}.",
        f"{outlook.advice.verdict}: {outlook.advice.why}.",
    ]


def _rounds_left(left: "RoundsLeft") -> str:
    within = f"to within {number(left.epsilon, 2)} of the limit"
    if left.median is None:
        return f"Rounds left {within}: {left.reason}"
    low, high = (number(end, 2) if end is not None else "open" for end in left.interval)
    return f"Rounds left {within}: about {number(left.median, 2)}, from {low} to {high}"
