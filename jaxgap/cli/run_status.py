"""The status of a run under way, in a few lines for each checkpoint."""

from typing import TYPE_CHECKING

from jaxgap.cli.tables import print_warnings, rounds_left_words, unsaid
from jaxgap.cli.terminal import Terminal
from jaxgap.fitting.results.number_words import number, percent
from jaxgap.fitting.results.objection import objection
from jaxgap.fitting.results.sentences import limit_sentence, time_left_sentence
from jaxgap.report.words import accuracy_sentence

if TYPE_CHECKING:
    from jaxgap.fitting import FitResult
    from jaxgap.workflows.watching import RunStatus


def print_status(console: Terminal, status: "RunStatus") -> None:
    """Print a run's progress, its forecast, and whether to continue."""
    print_head(console, status)
    if status.run is None or status.result is None:
        console.print("  a fit needs three checkpoints", style="dim")
        return
    lines = [accuracy_sentence(status.run), *_by_the_law(status.result), *_ahead(status)]
    said = [line for line in lines if line]
    for line in said:
        console.print(f"  {line}")
    warnings = () if status.outlook is None else status.outlook.warnings
    print_warnings(console, unsaid((*status.result.warnings, *warnings), said))


def print_head(console: Terminal, status: "RunStatus") -> None:
    """Print how far a run has come, and whether it ended early or nothing is working on it."""
    if status.ended is not None:
        state = f"; the run ended early: {status.ended}"
    else:
        state = "" if status.at_work else ", and no process is working on it"
    head = f"{status.num_done} of {status.num_asked} checkpoints{state}"
    console.print(head, style="bold")


def _by_the_law(result: "FitResult") -> list[str | None]:
    """The law's limit and when it is reached, with any objections, or only those."""
    against = objection(result)
    if not result.converged or result.limits["solver"].identifiability == "refuted":
        return [against]
    limit = f"Under the {result.model} law: {limit_sentence(result)}"
    return [limit, time_left_sentence(result), against]


def _ahead(status: "RunStatus") -> list[str]:
    outlook = status.outlook
    if outlook is None:
        return ["No forecast: that needs uncertainties above zero, and the solver's has been zero."]
    median, low, high = (
        number(value, 3) for value in (outlook.solver.median, *outlook.solver.interval)
    )
    said = [
        f"Forecast over several shapes of curve: U_s {median} at {outlook.horizon:g}, "
        f"{percent(outlook.level)} interval [{low}, {high}].",
        f"{rounds_left_words(outlook)}.",
    ]
    if status.ended is None or outlook.advice.cost is not None:
        said.append(f"{outlook.advice.verdict}: {outlook.advice.why}.")
    return said
