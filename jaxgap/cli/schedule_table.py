"""A plan for external data as a table for the terminal."""

import itertools

from rich.box import SIMPLE_HEAD
from rich.table import Table

from jaxgap.cli.tables import print_warnings, unsaid
from jaxgap.cli.terminal import Terminal
from jaxgap.fitting import Estimate
from jaxgap.fitting.external_data.schedule import DataSchedule
from jaxgap.fitting.external_data.schedule_outcomes import ScheduleOutcome
from jaxgap.fitting.results.number_words import estimated, interval, number
from jaxgap.fitting.results.objection import objection
from jaxgap.fitting.results.sentences import limit_sentence
from jaxgap.workflows.external_plan import AtStrength, ExternalPlan


def print_plan(console: Terminal, plan: ExternalPlan) -> None:
    """Print every schedule with its limits, the best one, and its dependence on gamma."""
    if plan.refusal is not None:
        said = f"Nothing can be planned from this fit: {plan.refusal}."
        console.print(said, style="bold")
        print_warnings(console, unsaid(plan.result.warnings, [said]))
        return
    _print_schedules(console, plan)
    limit = limit_sentence(plan.result)
    console.print(
        f"Without external data {limit[0].lower()}{limit[1:]}" if plan.has_limit else limit
    )
    console.print(best_sentence(plan), style="bold")
    if plan.has_limit:
        console.print(range_sentence(plan))
    print_warnings(console, plan.result.warnings)


def _print_schedules(console: Terminal, plan: ExternalPlan) -> None:
    """Print the table, and where the model breaks down, if the data determine it."""
    table = Table(
        title=f"External data, gamma = {plan.strength:g}",
        box=SIMPLE_HEAD,
        padding=0,
        pad_edge=False,
    )
    table.add_column("schedule", no_wrap=True)
    for heading in ("solver's limit", "Prop 5.1", "improvement", "slope"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("valid", no_wrap=True)
    for outcome in plan.outcomes:
        known = outcome.limit.estimate is not None
        outside = _is_outside(plan, outcome)
        table.add_row(
            outcome.schedule.name,
            "–" if outside else _with_interval(outcome.limit),
            number(outcome.proposition_5_1.estimate, 3),
            "–" if outside else _with_interval(outcome.improvement),
            number(_own_slope(plan, outcome.slopes.by_strength), 3) if known else "–",
            _validity(plan, outcome),
        )
    console.print(table)
    for outcome in plan.outcomes:
        if _is_outside(plan, outcome):
            console.print(f"{outcome.schedule.name}: {outcome.invalid}", style="dim")
        elif plan.has_limit and outcome.limit.estimate is None:
            console.print(f"{outcome.schedule.name}: {outcome.limit.reason}", style="dim")


def _is_outside(plan: ExternalPlan, outcome: ScheduleOutcome) -> bool:
    """Whether the model is known to break down."""
    return plan.has_limit and outcome.is_determined and outcome.invalid is not None


def _validity(plan: ExternalPlan, outcome: ScheduleOutcome) -> str:
    """Whether the model holds; unknown if the data do not determine the limit."""
    if not (plan.has_limit and outcome.is_determined):
        return "–"
    return "yes" if outcome.invalid is None else "no"


def best_sentence(plan: ExternalPlan) -> str:
    """When the best schedule spends, in words."""
    best = plan.best
    alone = _by_what(plan)
    if best.reason is None:
        return f"Best{alone}: {_spent(plan, best.schedule)}."
    if not best.valid:
        return (
            f"No schedule over these rounds stays within the model at gamma {plan.strength:g}"
            f"{alone}: {best.reason}."
        )
    return (
        f"Best within the model{alone}: {_spent(plan, best.schedule)}. It reaches the lowest limit "
        "that the model allows, as other schedules do: the budget is more than the model can take. "
        f"Ignoring that, the best would be {_spent(plan, best.lowest)}, where {best.reason}."
    )


def _by_what(plan: ExternalPlan) -> str:
    """A reservation about the law under which a schedule is best; empty if there is none."""
    if not plan.has_limit:
        return " for the fitted curve alone, whose limit the data do not determine"
    against = objection(plan.result)
    return "" if against is None else " under a law that does not describe this run"


def _spent(plan: ExternalPlan, schedule: DataSchedule) -> str:
    """How much a schedule spends when, in words."""
    return ", ".join(
        f"{share:.0%} at {plan.result.time_unit} {t:.12g}"
        for t, share in zip(schedule.times, schedule.shares, strict=True)
        if share >= 0.005
    )


def range_sentence(plan: ExternalPlan) -> str:
    """Whether the choice depends on gamma, and its effect on the limit."""
    low, high = plan.over_strengths[0], plan.over_strengths[-1]
    ends = "; ".join(
        f"at {at.strength:.3g}: "
        + ", ".join(f"{name} {_limit_at(at, name)}" for name in ("early", "late", "best"))
        for at in (low, high)
    )
    whole = list(itertools.takewhile(lambda at: not at.invalid, plan.over_strengths))
    beyond = ""
    if not whole:
        beyond = " At the lowest gamma some schedule already leaves the model."
    elif len(whole) < len(plan.over_strengths):
        beyond = f" Beyond gamma {whole[-1].strength:.3g} some schedule leaves the model."
    return (
        f"For gamma from {low.strength:.3g} to {high.strength:.3g} {_moves(plan)}. "
        f"Limits by gamma, {ends}.{beyond}"
    )


def _moves(plan: ExternalPlan) -> str:
    """How much of the budget the best schedule shifts to other rounds at other gammas."""
    found = [at.best for at in plan.over_strengths if at.best is not None]
    if not plan.best.valid or len(found) < len(plan.over_strengths):
        return "a schedule within the model does not always exist"
    moved = max(abs(shares - plan.best.schedule.shares).sum() / 2 for shares in found)
    stays = "stays the same" if moved < 0.01 else f"shifts by up to {moved:.0%} of the budget"
    return f"the best schedule {stays}"


def _limit_at(at: AtStrength, name: str) -> str:
    limit = at.limits[name]
    return "not valid" if limit is None else number(limit, 3)


def _own_slope(plan: ExternalPlan, slope: float) -> float:
    return -slope if plan.result.kind == "accuracy" else slope


def _with_interval(estimate: Estimate) -> str:
    if estimate.estimate is None:
        return "not determined"
    if estimate.interval is None:
        return number(estimate.estimate, 3)
    return f"{estimated(estimate, 3)}\n{interval(estimate, 3)}"
