"""The results of a fit and a run in words and numbers.

A limit is never stated without its interval, nor uncertainty without accuracy beside it.
"""

import math

import numpy as np

from jaxgap.fitting import Estimate, FitResult
from jaxgap.fitting.noise.binomial import count_errors
from jaxgap.fitting.results.estimate import NO_NOISE, finite_or_none
from jaxgap.fitting.results.number_words import estimated, identifiable, interval, number, percent
from jaxgap.fitting.results.objection import doubts_about, objection, series_missed
from jaxgap.trajectory import Trajectory

PARAMETER_MEANINGS = {
    "rate": "rate at which the gap closes, per {unit}",
    "ratio": "verifier's rate of change relative to the solver's, beta / alpha",
    "gap_limit": "gap at which the run stalls",
    "solver_initial": "solver at the first measurement",
    "verifier_initial": "verifier at the first measurement",
    "exponent": "power of the gap; 1 is the paper's law",
}

REJECTED, REJECTED_MEANING = "†", "the law does not describe this run"
"""The mark of a run whose law has an objection, and what a legend says of it."""

# With fewer rows no autocorrelation of residuals is significant, and nothing else is tested.
_TELLING_ROWS = 6
# Standard errors of a clear change, as for the signs of a collapse that a run watches for.
_CLEARLY = 4.0
_HALF = 0.5


def estimate_rows(result: FitResult) -> list[tuple[str, str, str, str, str, str]]:
    """Every parameter and limit: name, estimate, standard error, interval, identifiable, meaning.

    If a part of a number is missing, the reason replaces the meaning.
    """
    named = dict(result.parameters) | {
        f"{name} limit": limit for name, limit in result.limits.items()
    }
    return [
        (
            name,
            estimated(value),
            number(value.stderr, 2),
            interval(value),
            identifiable(value),
            value.reason
            or PARAMETER_MEANINGS.get(name, "limit of the curve").format(unit=result.time_unit),
        )
        for name, value in named.items()
    ]


def accuracy_sentence(run: Trajectory) -> str | None:
    """Whether answers became more correct as they became more likely; `None` if not measured."""
    ends = accuracy_ends(run)
    if ends is None:
        return None
    first, last = ends
    name, unit = ("uncertainty", " nats") if run.kind == "uncertainty" else ("accuracy", "")
    way = "fell" if run.solver[-1] < run.solver[0] else "rose"
    moved = (
        f"Accuracy at temperature 1 went from {first:.1%} to {last:.1%} while the solver's "
        f"{name} {way} from {number(run.solver[0], 3)} to {number(run.solver[-1], 3)}{unit}."
    )
    if not _confident_and_worse(run):
        return moved
    selected = _measured(run, "verifier_accuracy")
    low = len(selected) and selected[-1] < _HALF
    blamed = "most answers that its verifier selects are wrong, and " if low else ""
    return (
        f"{moved} The model became more confident and less accurate: {blamed}the limit of its "
        "uncertainty says nothing about its skill."
    )


def _confident_and_worse(run: Trajectory) -> bool:
    """Whether uncertainty and accuracy both fell significantly."""
    accuracy, error = (run.extra.get(f"solver_accuracy{end}") for end in ("", "_se"))
    if run.kind != "uncertainty" or accuracy is None:
        return False
    return _clearly_fell(accuracy, error) and _clearly_fell(run.solver, run.solver_se)


def _clearly_fell(values: np.ndarray, errors: np.ndarray | None) -> bool:
    """Whether the last measured value is clearly below the first; never without errors."""
    if errors is None:
        return False
    known = np.flatnonzero(np.isfinite(values) & np.isfinite(errors))
    if len(known) < 2:
        return False
    first, last = known[[0, -1]]
    return bool(values[first] - values[last] > _CLEARLY * math.hypot(errors[first], errors[last]))


def accuracy_ends(run: Trajectory) -> tuple[float, float] | None:
    """The first and the last measured accuracy; `None` with fewer than two."""
    measured = _measured(run, "solver_accuracy")
    return (float(measured[0]), float(measured[-1])) if len(measured) > 1 else None


def _measured(run: Trajectory, name: str) -> np.ndarray:
    """The measured values of an extra series."""
    values = np.asarray(run.extra.get(name, ()), float)
    return values[np.isfinite(values)]


def forecast_sentence(run: Trajectory, known: FitResult) -> str:
    """The prediction of the first rows for the last one, and the measurement there.

    If the law is true, the predicted range contains the last row with the probability of the level.
    """
    first = f"From the first {known.num_points} of {run.num_rows} measurements, the {known.model}"
    if not known.converged:
        return f"{first} law could not be fitted: {known.stopped}."
    band = known.predict(run.ts[-1:]).solver
    predicted, low, high = (float(value[0]) for value in band)
    shown = Estimate(predicted, None, (finite_or_none(low), finite_or_none(high)))
    measured = float(run.solver[-1])
    forecast = f"{first} law predicted {number(predicted)} for the solver at the end"
    quantile = known.source.quantile
    if quantile is None:
        return f"{forecast}, with no interval ({NO_NOISE}); {number(measured)} was measured."
    error = _error_at_end(run, known, predicted)
    # The band is for the curve; the measurement has an error of its own.
    below = math.hypot(predicted - low, quantile * error)
    above = math.hypot(high - predicted, quantile * error)
    inside = predicted - below <= measured <= predicted + above
    return (
        f"{forecast} ({percent(known.level)} interval {interval(shown)} for the curve); "
        f"{number(measured)} ± {number(error, 2)} was measured, "
        f"{'within' if inside else 'outside'} the predicted range."
    )


def _error_at_end(run: Trajectory, known: FitResult, predicted: float) -> float:
    """The standard error of the last measurement: given, binomial, or estimated by the fit."""
    if run.solver_se is not None and run.solver_se[-1] > 0:
        return float(run.solver_se[-1])
    if run.kind == "accuracy" and run.num_items is not None:
        return float(count_errors(np.clip(predicted, 0.0, 1.0), run.num_items))
    return known.residual_stderr


def theory_sentence(result: FitResult) -> str:
    """Whether the theory describes this run."""
    against = objection(result)
    if against is not None:
        return against
    if untested(result):
        return (
            f"{result.num_points} rows are too few to tell whether this run departs from the "
            f"{result.model} law."
        )
    doubts = doubts_about(result)
    if doubts:
        return f"The {result.model} law describes this run only roughly: {'; '.join(doubts)}."
    missed = series_missed(result)
    little = f", but there is little to see beyond noise (R² {missed})" if missed else ""
    return f"The residuals show no departure of this run from the {result.model} law{little}."


def untested(result: FitResult) -> bool:
    """Whether there were too few rows for any test to find something."""
    tests = (result.diagnostics.chi_squared_p_value, *result.diagnosis.findings().values())
    return result.num_points < _TELLING_ROWS and all(each is None for each in tests)


def unopposed(result: FitResult) -> bool:
    """Whether the law was tested on enough rows and nothing was found against it."""
    return objection(result) is None and not doubts_about(result) and not untested(result)
