"""A plan for external data as a table for the terminal."""

from rich.box import SIMPLE_HEAD
from rich.table import Table

from jaxgap.cli.tables import print_warnings
from jaxgap.cli.terminal import Terminal
from jaxgap.fitting import Estimate
from jaxgap.fitting.fit_report import limit_sentence, number
from jaxgap.workflows.external_plan import ExternalPlan


def print_plan(console: Terminal, plan: ExternalPlan) -> None:
    """Every schedule with its limits, the best one, and how much of it hangs on gamma."""
    table = Table(
        title=f"External data, gamma = {plan.strength:g}", box=SIMPLE_HEAD, pad_edge=False
    )
    table.add_column("schedule", no_wrap=True)
    for heading in ("solver's limit", "Prop 5.1", "improvement", "slope"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("valid", no_wrap=True)
    for outcome in plan.outcomes:
        held = outcome.limit.estimate is not None
        table.add_row(
            outcome.schedule.name,
            _with_interval(outcome.limit),
            number(outcome.proposition_5_1.estimate, 3),
            _with_interval(outcome.improvement),
            number(_own_slope(plan, outcome.slopes.by_strength), 3) if held else "–",
            "yes" if outcome.invalid is None else "no",
        )
    console.print(table)
    for outcome in plan.outcomes:
        if outcome.invalid is not None:
            said = f"{outcome.schedule.name}: {outcome.invalid}"
            console.print(said, style="dim")
    console.print("Without external data: " + limit_sentence(plan.result))
    console.print(best_sentence(plan), style="bold")
    if plan.held:
        console.print(range_sentence(plan))
    print_warnings(console, plan.result)


def best_sentence(plan: ExternalPlan) -> str:
    """When the best schedule spends, in words."""
    schedule, unit = plan.best.schedule, plan.result.time_unit
    parts = [
        f"{share:.0%} at {unit} {t:g}"
        for t, share in zip(schedule.times, schedule.shares, strict=True)
        if share >= 0.005
    ]
    reason = plan.outcomes[-1].invalid
    doubt = "" if reason is None else f" But there the model is not valid: {reason}."
    return f"Best: {', '.join(parts)}.{doubt}"


def range_sentence(plan: ExternalPlan) -> str:
    """Whether the choice hangs on gamma, and what the choice is worth."""
    low, high = plan.over_strengths[0], plan.over_strengths[-1]
    moved = max(abs(at.best - plan.best.schedule.shares).sum() / 2 for at in plan.over_strengths)
    stays = "stays the same" if moved < 0.01 else f"moves up to {moved:.0%} of the budget"
    ends = ", ".join(
        f"{at.strength:.3g}: early {number(at.limits['early'], 3)}, "
        f"late {number(at.limits['late'], 3)}, best {number(at.limits['best'], 3)}"
        for at in (low, high)
    )
    broken = [at.strength for at in plan.over_strengths if at.invalid]
    beyond = f" From gamma {min(broken):.3g} on a schedule leaves the model." if broken else ""
    return (
        f"For gamma from {low.strength:.3g} to {high.strength:.3g} the best schedule {stays}. "
        f"Limits at gamma {ends}.{beyond}"
    )


def _own_slope(plan: ExternalPlan, slope: float) -> float:
    return -slope if plan.result.kind == "accuracy" else slope


def _with_interval(estimate: Estimate) -> str:
    if estimate.estimate is None:
        return "not held by the data"
    if estimate.interval is None:
        return number(estimate.estimate, 3)
    low, high = (number(end, 3) for end in estimate.interval)
    return f"{number(estimate.estimate, 3)}\n[{low}, {high}]"
