"""What a fit and a run say, in words and numbers for people.

Nothing is said of a limit without its interval, nor of uncertainty without accuracy beside it.
"""

import math
from statistics import NormalDist

import numpy as np

from jaxgap.fitting import FitResult
from jaxgap.fitting.fit_report import identifiable, interval, number, percent, refutations
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


def estimate_rows(result: FitResult) -> list[tuple[str, str, str, str, str, str]]:
    """Every parameter and limit: name, estimate, standard error, interval, identifiable, meaning.

    In place of the meaning there is the reason where a part of the number is missing.
    """
    named = dict(result.parameters) | {
        f"{name} limit": limit for name, limit in result.limits.items()
    }
    return [
        (
            name,
            number(value.estimate),
            number(value.stderr, 2),
            interval(value),
            identifiable(value),
            value.reason
            or PARAMETER_MEANINGS.get(name, "where the curve goes").format(unit=result.time_unit),
        )
        for name, value in named.items()
    ]


def accuracy_sentence(run: Trajectory) -> str | None:
    """Whether answers became right as they became likely; `None` where that was not measured."""
    ends = accuracy_ends(run)
    if ends is None:
        return None
    first, last = ends
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


def accuracy_ends(run: Trajectory) -> tuple[float, float] | None:
    """The first and the last accuracy that was measured; `None` with fewer than two."""
    accuracy = np.asarray(run.extra.get("solver_accuracy", ()), float)
    measured = accuracy[np.isfinite(accuracy)]
    return (float(measured[0]), float(measured[-1])) if len(measured) > 1 else None


def forecast_sentence(run: Trajectory, known: FitResult) -> str:
    """What the first rows said about the last one, and what was measured there."""
    band = known.predict(run.ts[-1:]).solver
    predicted, low, high = (float(value[0]) for value in band)
    measured = float(run.solver[-1])
    error = 0.0 if run.solver_se is None else float(run.solver_se[-1])
    # The band is for the curve; the measurement strays from it by an error of its own.
    own = NormalDist().inv_cdf((1 + known.level) / 2) * error
    below, above = math.hypot(predicted - low, own), math.hypot(high - predicted, own)
    inside = predicted - below <= measured <= predicted + above
    return (
        f"From its first {known.num_points} of {run.num_rows} measurements the {known.model} law "
        f"put the solver at {number(predicted)} at the end ({percent(known.level)} interval "
        f"[{number(low)}, {number(high)}] for the curve); measured was {number(measured)}"
        f"{f' ± {number(error, 2)}' if error else ''}: "
        f"{'inside' if inside else 'outside'} what it expected."
    )


def theory_sentence(result: FitResult) -> str:
    """Whether this run is as the theory says, whatever the answer."""
    against = objection(result)
    if against is not None:
        return against
    doubts = [*result.diagnostics.warnings(), *result.diagnosis.warnings()]
    if doubts:
        return f"The {result.model} law follows this run only roughly: {'; '.join(doubts)}."
    return f"The residuals show no departure of this run from the {result.model} law."


def objection(result: FitResult) -> str | None:
    """Why what the law says of this run is not to be believed; `None` where nothing is found."""
    if not result.converged:
        return f"The {result.model} law could not be fitted: {result.stopped}."
    verdict = result.diagnosis.verdict
    if verdict is not None:
        return f"{verdict[0].upper()}{verdict[1:]}."
    refuted = refutations(result.limits)
    if refuted:
        return f"The {result.model} law does not describe this run: {'; '.join(refuted)}."
    curves = {name: result.r2[name] for name in ("solver", "verifier")}
    missed = {name: r2 for name, r2 in curves.items() if r2 is not None and r2 < _DESCRIBES}
    if not missed:
        return None
    found = ", ".join(f"{name} {r2:.2f}" for name, r2 in missed.items())
    return (
        f"The {result.model} law does not describe this run (R² {found}): what it says of the "
        "limit is not to be believed."
    )
