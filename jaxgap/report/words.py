"""What a fit and a run say, in words and numbers for people.

Nothing is said of a limit without its interval, nor of uncertainty without accuracy beside it.
"""

from jaxgap.fitting import Estimate, FitResult
from jaxgap.trajectory import Trajectory

PARAMETER_MEANINGS = {
    "rate": "how fast the gap closes, per {unit}",
    "ratio": "verifier's speed over solver's, beta / alpha",
    "gap_limit": "gap at which the run stalls",
    "solver_initial": "solver at the first time",
    "verifier_initial": "verifier at the first time",
    "exponent": "power of the gap, 1 being the paper's law",
}

# A law that leaves half of a curve's variance unexplained does not describe the curve.
_DESCRIBES = 0.5


def number(value: float | None, digits: int = 4) -> str:
    """A number with so many significant digits; a dash for none."""
    return "–" if value is None else f"{value:#.{digits}g}".rstrip(".")


def interval(estimate: Estimate, digits: int = 4) -> str:
    """An interval as `[low, high]`, with an open end where the data set no bound."""
    if estimate.interval is None:
        return "–"
    low, high = estimate.interval
    left = "(open" if low is None else f"[{number(low, digits)}"
    right = "open)" if high is None else f"{number(high, digits)}]"
    return f"{left}, {right}"


def estimate_rows(result: FitResult) -> list[tuple[str, str, str, str, str]]:
    """Every parameter and limit: name, estimate, standard error, interval, meaning or reason."""
    named = dict(result.parameters) | {
        f"limit of the {name}": limit for name, limit in result.limits.items()
    }
    return [
        (
            name,
            number(value.estimate),
            number(value.stderr, 2),
            interval(value),
            value.reason
            or PARAMETER_MEANINGS.get(name, "where the curve goes").format(unit=result.time_unit),
        )
        for name, value in named.items()
    ]


def r2_sentence(result: FitResult) -> str:
    """How much of each series the law explains."""
    parts = [f"{name} {value:.4f}" for name, value in result.r2.items() if value is not None]
    return "R² " + ", ".join(parts) if parts else "R² does not apply: the series do not vary"


def limit_sentence(result: FitResult) -> str:
    """Where the solver goes, or why that cannot be said."""
    limit = result.limits["solver"]
    if limit.estimate is None:
        return f"The data do not hold the solver's limit: {limit.reason}."
    return (
        f"The solver's limit is {number(limit.estimate)}, "
        f"{result.level:.0%} interval {interval(limit)}."
    )


def accuracy_sentence(run: Trajectory) -> str | None:
    """Whether answers became right as they became likely; `None` where that was not measured."""
    accuracy = run.extra.get("solver_accuracy")
    if accuracy is None:
        return None
    first, last = float(accuracy[0]), float(accuracy[-1])
    sure = "fell" if run.solver[-1] < run.solver[0] else "rose"
    moved = (
        f"Accuracy at temperature 1 went from {first:.1%} to {last:.1%} while the solver's "
        f"uncertainty {sure} from {number(run.solver[0], 3)} to {number(run.solver[-1], 3)} nats."
    )
    if last < first and sure == "fell":
        return moved + (
            " The model became surer and worse: its verifier selects wrong answers, and the limit "
            "of its uncertainty is no limit of its skill."
        )
    return moved


def forecast_sentence(run: Trajectory, known: FitResult) -> str:
    """What the first rows said about the last one, and what was measured there."""
    band = known.predict(run.ts[-1:]).solver
    predicted, low, high = (float(value[0]) for value in band)
    measured = float(run.solver[-1])
    error = 0.0 if run.solver_se is None else float(run.solver_se[-1])
    # The band is for the curve; the measurement strays from it by its own error (1.64 for 90 %).
    inside = low - 1.64 * error <= measured <= high + 1.64 * error
    return (
        f"From its first {known.num_points} of {run.num_rows} measurements the {known.model} law "
        f"put the solver at {number(predicted)} at the end ({known.level:.0%} interval "
        f"[{number(low)}, {number(high)}] for the curve); measured was {number(measured)}"
        f"{f' ± {number(error, 2)}' if error else ''}: "
        f"{'inside' if inside else 'outside'} what it expected."
    )


def theory_sentence(result: FitResult) -> str:
    """Whether this run is as the theory says, whatever the answer."""
    doubts = [warning for warning in result.warnings if "residuals" in warning]
    if not result.converged:
        return f"The {result.model} law could not be fitted: {result.stopped}."
    curves = {name: result.r2[name] for name in ("solver", "verifier")}
    missed = {name: r2 for name, r2 in curves.items() if r2 is not None and r2 < _DESCRIBES}
    if missed:
        found = ", ".join(f"{name} {r2:.2f}" for name, r2 in missed.items())
        return (
            f"The {result.model} law does not describe this run (R² {found}): what it says of the "
            "limit is not to be believed."
        )
    if doubts:
        return f"The {result.model} law follows this run only roughly: {'; '.join(doubts)}."
    return f"The residuals show no departure of this run from the {result.model} law."
