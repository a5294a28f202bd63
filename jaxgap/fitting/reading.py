"""From the numbers that the core finds to a result in the trajectory's own terms."""

import numpy as np

from jaxgap.fitting.core import Problem, RawFit, visible
from jaxgap.fitting.curves import Curves
from jaxgap.fitting.diagnostics import Diagnostics, r_squared
from jaxgap.fitting.estimate import Estimate
from jaxgap.fitting.law import LIMITS, Parameter
from jaxgap.fitting.result import FitResult, Source, measured_and_fitted
from jaxgap.trajectory import Trajectory

_NO_VERIFIER = "the trajectory has no verifier"
_NO_NOISE = "as many free parameters as measurements: nothing is left to tell the noise from"
# A number nearer to its natural bound than this part of its typical size counts as on it.
_ON_BOUND = 1e-3


def read_result(
    problem: Problem,
    trajectory: Trajectory,
    curves: Curves,
    raw: RawFit,
    *,
    num_free: int,
    quantile: float | None,
    level: float,
    remarks: list[str],
) -> FitResult:
    """Everything that the core found for one trajectory, in words where words are needed."""
    estimates = _estimates(problem, trajectory, curves, raw, quantile)
    names = [parameter.name for parameter in problem.law.parameters]
    parameters = dict(zip(names, estimates, strict=False))
    limit_names = [limit.name for limit in LIMITS]
    limits = dict(zip(limit_names, estimates[len(names) :], strict=True))
    measured, fitted = measured_and_fitted(curves, raw, trajectory.num_rows)
    series = [name for name in measured if name != "gap"]
    weights = np.asarray(curves.weights)[: trajectory.num_rows].T
    diagnostics = Diagnostics.of_residuals(
        {n: (measured[n] - fitted[n]) * w for n, w in zip(series, weights, strict=False)},
        num_free,
        bool(curves.noise_known),
    )
    return FitResult(
        model=problem.law.name,
        parameters=parameters,
        limits=limits,
        level=level,
        r2={
            name: r_squared(measured[name], fitted[name]) if name in measured else None
            for name in limits
        },
        converged=bool(raw.converged),
        stopped=_stopped(raw),
        num_points=trajectory.num_rows,
        num_starts=len(raw.start_costs),
        num_agreeing=int(raw.num_agreeing),
        warnings=(
            *remarks,
            *_fit_warnings(raw, int(curves.num_measurements), num_free),
            *_bound_warnings(problem, curves, raw),
            *_limit_warnings(trajectory, limits),
            *diagnostics.warnings(),
        ),
        diagnostics=diagnostics,
        kind=trajectory.kind,
        time_unit=trajectory.time_unit,
        dynamics=raw.dynamics,
        source=Source(problem, curves, raw, quantile),
    )


def _estimates(
    problem: Problem,
    trajectory: Trajectory,
    curves: Curves,
    raw: RawFit,
    quantile: float | None,
) -> list[Estimate]:
    """One for every parameter and limit, the invisible ones included."""
    estimates = [Estimate.absent(_NO_VERIFIER) for _ in problem.reported]
    for position, index in enumerate(visible(problem, curves.has_verifier)):
        parameter = problem.reported[index]
        value, stderr = float(raw.numbers[position]), float(raw.stderrs[position])
        low, high = (float(end) for end in raw.intervals[position])
        at_bound = _bound_hit(parameter, value, curves) is not None
        if trajectory.kind == "accuracy" and parameter.unit == "capability":
            value, low, high = 1.0 - value, 1.0 - high, 1.0 - low
        if quantile is None:
            estimates[index] = Estimate.without_noise(value, _NO_NOISE)
        else:
            estimates[index] = Estimate.measured(value, stderr, (low, high), at_bound)
    return estimates


def _bound_hit(parameter: Parameter, value: float, curves: Curves) -> float | None:
    """The natural bound on which a parameter sits, if it does."""
    typical = 1 / float(curves.duration) if parameter.unit == "1/time" else 1.0
    for bound in (parameter.lower, parameter.upper):
        if abs(value - bound) < _ON_BOUND * typical:
            return bound
    return None


def _stopped(raw: RawFit) -> str:
    if raw.converged:
        return "converged: no direction lowers the squared error any further"
    if not np.isfinite(raw.cost):
        return "failed: no start gave finite curves"
    return "stopped before a minimum: the steps ran out, or no step lowered the squared error"


def _fit_warnings(raw: RawFit, num_measurements: int, num_free: int) -> list[str]:
    found = []
    if not raw.converged:
        found.append("the fit did not converge: do not rely on its estimates and intervals")
    if num_measurements < num_free + 2:
        found.append(
            f"{num_measurements} measurements for {num_free} free parameters: hardly anything is "
            "left to judge the fit by"
        )
    if raw.num_agreeing == 1:
        found.append(f"only one of {len(raw.start_costs)} starts found this minimum")
    return found


def _bound_warnings(problem: Problem, curves: Curves, raw: RawFit) -> list[str]:
    found = []
    for position, index in enumerate(visible(problem, curves.has_verifier)):
        parameter = problem.reported[index]
        bound = _bound_hit(parameter, float(raw.numbers[position]), curves)
        if bound is not None:
            found.append(f"{parameter.name} is on its bound {bound:g}")
    return found


def _limit_warnings(trajectory: Trajectory, limits: dict[str, Estimate]) -> list[str]:
    """Limits that no such measurement can reach."""
    found = []
    for name in ("solver", "verifier"):
        limit = limits[name].estimate
        if limit is None:
            continue
        if trajectory.kind == "uncertainty" and limit < 0:
            found.append(f"the limit of the {name} is below zero, which no uncertainty can be")
        if trajectory.kind == "accuracy" and not 0 <= limit <= 1:
            found.append(f"the limit of the {name} is outside [0, 1], which no accuracy can be")
    return found
