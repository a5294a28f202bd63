"""From the numbers of the compiled core to a result in the trajectory's own terms."""

from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

import numpy as np
from jaxtyping import Array, Float

from jaxgap.fitting.curves import Curves
from jaxgap.fitting.diagnosis.beyond import is_beyond, level_at_end
from jaxgap.fitting.intervals.identifiability import without_effect
from jaxgap.fitting.laws.constrained_law import ConstrainedLaw
from jaxgap.fitting.laws.constraints import Tied
from jaxgap.fitting.laws.law import LIMITS, Parameter, typical_size
from jaxgap.fitting.laws.rank_one_law import MAX_RATIO
from jaxgap.fitting.noise import AbstractNoise, EstimatedScale
from jaxgap.fitting.noise.fitted_weights import fitted_weights
from jaxgap.fitting.noise.joint_scale import JointScale
from jaxgap.fitting.own_terms import own_interval, own_terms
from jaxgap.fitting.problem import FitProblem
from jaxgap.fitting.raw_fit import RawFit, RawNumbers
from jaxgap.fitting.results.diagnostics import Diagnostics, r_squared
from jaxgap.fitting.results.estimate import NO_NOISE, NO_VERIFIER, Estimate, finite_or_none
from jaxgap.fitting.results.number_words import interval, number
from jaxgap.fitting.results.objection import TOO_FAST, refutations
from jaxgap.fitting.results.result import FitResult, Source
from jaxgap.fitting.results.series import in_own_terms, measured_and_fitted
from jaxgap.trajectory import Kind, Trajectory

_HELD = "held at a given value, not estimated"
_FLAT_TIE = "its tie gives the same value all around the fit, so that no interval can be told"
_STANDS_STILL = (
    "the curves do not move at all, so they determine neither a rate nor a limit, nor their noise "
    "(standard errors or a number of items would)"
)
_LIMIT_ANYWHERE = (
    "the curves do not move at all, and at a slow enough rate their limit may be anywhere"
)
# A ratio on its upper bound speaks against the law where its whole interval is above this.
_NEARLY_AS_FAST = 0.9
_TIED = ": its tie leads there or beyond"
_NEGATIVE_GAP = (
    "the limit of the gap is below zero: the solver ends up more capable than its verifier, so the "
    "verifier's lead cannot be what drives its gains; check that both are measured on the same "
    "problems and scale, and that the columns are not swapped"
)
# A number closer to its natural bound than this fraction of its typical size counts as on it.
_ON_BOUND = 1e-3
# Closer to its limit than this fraction of the way, the side on which a curve lies is round-off.
_ARRIVED = 1e-6


def assemble_result(
    problem: FitProblem,
    trajectory: Trajectory,
    curves: Curves,
    raw: RawFit,
    numbers: RawNumbers,
    *,
    num_free: int,
    quantile: float | None,
    level: float,
    remarks: list[str],
) -> FitResult:
    """The result for one trajectory from what the core found, with explanations in words."""
    flat = _on_flat_ties(problem, curves, numbers)
    unsure = _why_unsure(curves, raw, quantile)
    estimates = _estimates(problem, trajectory, curves, numbers, unsure, flat)
    names = [parameter.name for parameter in problem.law.parameters]
    parameters = dict(zip(names, estimates, strict=False))
    limit_names = [limit.name for limit in LIMITS]
    limits = dict(zip(limit_names, estimates[len(names) :], strict=True))
    fitted = np.asarray(raw.fitted)
    limits = _without_passed(trajectory, curves, fitted, limits)
    r2, diagnostics = goodness(
        problem.noise, curves, fitted, trajectory.num_rows, num_free, trajectory.kind
    )
    return FitResult(
        model=problem.law.name,
        parameters=parameters,
        limits=limits,
        level=level,
        r2=r2,
        converged=bool(raw.converged),
        stopped=_stopped(raw),
        num_points=trajectory.num_rows,
        num_starts=len(raw.start_costs),
        num_agreeing=int(raw.num_agreeing),
        remarks=(
            *remarks,
            *_fit_warnings(raw, int(curves.num_measurements), num_free),
            *_bound_warnings(problem, trajectory, curves, numbers, flat, parameters),
            *limit_warnings(trajectory, limits),
            *diagnostics.warnings(),
        ),
        diagnostics=diagnostics,
        kind=trajectory.kind,
        time_unit=trajectory.time_unit,
        dynamics=raw.dynamics,
        source=Source(problem, curves, raw, numbers, quantile),
    )


def goodness(
    noise: AbstractNoise,
    curves: Curves,
    fitted: Float[np.ndarray, "times 2"],
    num_rows: int,
    num_free: int,
    kind: Kind,
) -> tuple[dict[str, float | None], Diagnostics]:
    """The R^2 of each series, and the diagnostics of the residuals."""
    measured, predicted = measured_and_fitted(curves, fitted, num_rows)
    series = [name for name in measured if name != "gap"]
    weights = fitted_weights(noise, curves, fitted)[:num_rows].T
    residuals = {
        name: (measured[name] - predicted[name]) * weight
        for name, weight in zip(series, weights, strict=False)
    }
    size = max(float(np.abs(each).max()) for each in measured.values())
    r2 = {
        limit.name: r_squared(measured[limit.name], predicted[limit.name], size)
        if limit.name in measured
        else None
        for limit in LIMITS
    }
    diagnostics = Diagnostics.of_residuals(
        residuals,
        num_free,
        noise_known=bool(curves.noise_known),
        one_scale=isinstance(noise, EstimatedScale | JointScale),
        levels=predicted if kind == "uncertainty" and _positive(measured, series) else None,
    )
    return r2, diagnostics


def _positive(measured: Mapping[str, Float[np.ndarray, " T"]], names: Iterable[str]) -> bool:
    return all((measured[name] > 0).all() for name in names)


def _estimates(
    problem: FitProblem,
    trajectory: Trajectory,
    curves: Curves,
    numbers: RawNumbers,
    unsure: "_Unsure | None",
    flat: Collection[int],
) -> list[Estimate]:
    """One for every parameter and limit, including those the trajectory cannot show."""
    estimates = [Estimate.absent(NO_VERIFIER) for _ in problem.reported]
    redundant = np.zeros(len(problem.reported), bool)
    if unsure is None and not np.isfinite(numbers.intervals).all(axis=1).all():
        # Numbers that no data could determine have open intervals: look for them only then.
        redundant = without_effect(problem, curves)
    for position, index in enumerate(problem.visible(curves.has_verifier)):
        parameter = problem.reported[index]
        is_limit = index >= len(problem.law.parameters)
        value = own_terms(
            float(numbers.estimates[position]), parameter.is_mirrored(trajectory.kind)
        )
        if index in problem.held:
            estimates[index] = Estimate(finite_or_none(value), None, None, _HELD, "held")
        elif unsure is not None:
            # A limit means nothing without its interval, nor an interval away from a minimum.
            shown = not is_limit and unsure.shows(parameter)
            estimates[index] = Estimate.without_noise(value if shown else None, unsure.reason)
        elif is_limit and curves.stand_still:
            estimates[index] = Estimate.without_noise(None, _LIMIT_ANYWHERE)
        elif index in flat:
            estimates[index] = Estimate.without_noise(value, _FLAT_TIE)
        else:
            estimates[index] = _estimate_of(
                parameter,
                curves,
                trajectory.kind,
                float(numbers.estimates[position]),
                float(numbers.stderrs[position]),
                numbers.intervals[position],
                is_limit=is_limit,
                redundant=bool(redundant[index]),
            )
    return estimates


def _on_flat_ties(problem: FitProblem, curves: Curves, numbers: RawNumbers) -> set[int]:
    """The tied parameters that nothing moves at the fit, and the limits that stand still with them.

    A search along a flat tie finds no end, which would look as if the data had set none.
    """
    law = problem.law
    if not isinstance(law, ConstrainedLaw):
        return set()
    visible = problem.visible(curves.has_verifier)
    still = {index for index, stderr in zip(visible, numbers.stderrs, strict=True) if stderr == 0}
    flat = still & {index for index, each in enumerate(law.constraints) if isinstance(each, Tied)}
    limits = range(len(law.parameters), len(problem.reported))
    return flat | still.intersection(limits) if flat else flat


def _estimate_of(
    parameter: Parameter,
    curves: Curves,
    kind: Kind,
    value: float,
    stderr: float,
    interval: Float[Array, "2"],
    *,
    is_limit: bool,
    redundant: bool,
) -> Estimate:
    """An `Estimate` in the trajectory's own terms, from a number in those of the equations."""
    mirrored = parameter.is_mirrored(kind)
    in_capability = parameter.unit in ("capability", "gap", "change")
    low, high = (float(end) for end in interval)
    found = Estimate.measured(
        own_terms(value, mirrored),
        stderr,
        own_interval(low, high, mirrored),
        bounds=own_interval(parameter.lower, parameter.upper, mirrored),
        at_bound=_bound_hit(parameter, value, curves) is not None,
        most=float(curves.value_scale) if in_capability else np.inf,
        is_limit=is_limit,
        redundant=redundant,
    )
    # Clipped only now: whether the data determine it is judged by the whole interval.
    return found.within(0.0, 1.0) if mirrored else found


class _Unsure(NamedTuple):
    """Why no number of a fit has an interval, and whether only capabilities are known at all."""

    reason: str
    only_capabilities: bool = False

    def shows(self, parameter: Parameter) -> bool:
        """Whether a parameter's value means something without its interval."""
        return parameter.unit == "capability" or not self.only_capabilities


def _why_unsure(curves: Curves, raw: RawFit, quantile: float | None) -> _Unsure | None:
    """Why no number of the fit has an interval, or `None` if they can have one."""
    if not raw.converged:
        return _Unsure(f"the fit {_stopped(raw)}")
    if curves.tell_no_noise:
        return _Unsure(_STANDS_STILL, only_capabilities=True)
    if quantile is None:
        return _Unsure(NO_NOISE)
    return None


def _without_passed(
    trajectory: Trajectory,
    curves: Curves,
    fitted: Float[np.ndarray, "times 2"],
    limits: dict[str, Estimate],
) -> dict[str, Estimate]:
    """The limits, with those that the run is already beyond withheld as refuted."""
    found = dict(limits)
    for name, series in in_own_terms(curves, fitted, trajectory.num_rows, trajectory.kind).items():
        limit = limits[name]
        if limit.estimate is None or limit.interval is None:
            continue
        level = level_at_end(*series)
        low, high = limit.interval
        if level is None or low is None or high is None:
            continue
        away = series.fitted - limit.estimate
        if is_beyond(level, (low, high), from_above=bool(_last_seen(away) > 0)):
            found[name] = Estimate.refuted(
                f"the {name} is already beyond the law's limit ({number(limit.estimate)} "
                f"{interval(limit)}; at the last row it stands at {number(level.value)} ± "
                f"{number(level.stderr, 2)})"
            )
    return found


def _last_seen(away: Float[np.ndarray, " T"]) -> float:
    """How far a fitted curve last was from its limit, sign included, before it arrived."""
    seen = away[np.abs(away) > _ARRIVED * np.abs(away).max()]
    return float(seen[-1]) if len(seen) else 0.0


def _bound_hit(parameter: Parameter, value: float, curves: Curves) -> float | None:
    """The bound on which a parameter lies, if any, in the equations' terms."""
    near = _ON_BOUND * float(typical_size(parameter, curves))
    bounds = (parameter.lower, parameter.upper)
    return next((bound for bound in bounds if abs(value - bound) < near), None)


def _stopped(raw: RawFit) -> str:
    if raw.converged:
        return "converged: no direction lowers the squared error any further"
    if not np.isfinite(raw.cost):
        return "failed: no start gave finite curves"
    return "stopped before a minimum: it ran out of steps, or no step lowered the squared error"


def _fit_warnings(raw: RawFit, num_measurements: int, num_free: int) -> list[str]:
    found = []
    if not raw.converged:
        found.append("the fit did not converge: do not rely on its estimates")
    if num_measurements < num_free + 2:
        found.append(
            f"{num_measurements} measurements for {num_free} free parameters leave hardly anything "
            "to judge the fit by"
        )
    if raw.num_agreeing == 1:
        found.append(f"only one of {len(raw.start_costs)} starts found this minimum")
    return found


def _bound_warnings(
    problem: FitProblem,
    trajectory: Trajectory,
    curves: Curves,
    numbers: RawNumbers,
    flat: Collection[int],
    parameters: dict[str, Estimate],
) -> list[str]:
    found = []
    for position, index in enumerate(problem.visible(curves.has_verifier)):
        parameter = problem.reported[index]
        bound = _bound_hit(parameter, float(numbers.estimates[position]), curves)
        # A bounded limit is also a parameter, and has been reported as that.
        is_limit = index >= len(problem.law.parameters)
        if bound is None or is_limit or index in problem.held:
            continue
        shown = own_terms(bound, parameter.is_mirrored(trajectory.kind))
        least, _ = parameters[parameter.name].interval or (None, None)
        too_fast = bound == MAX_RATIO and parameter.unit == "1" and (least or 0) > _NEARLY_AS_FAST
        why = _TIED if index in flat else f": {TOO_FAST}" if too_fast else ""
        found.append(f"{parameter.name} is on its bound {shown:g}{why}")
    return found


def limit_warnings(trajectory: Trajectory, limits: dict[str, Estimate]) -> list[str]:
    """Warnings for limits that no measurement can reach, or that the run is already beyond.

    Also for a gap that ends below zero, which a law allows but the theory cannot explain.
    """
    found = refutations(limits)
    _, most = limits["gap"].interval or (None, None)
    if limits["gap"].estimate is not None and most is not None and most < 0:
        found.append(_NEGATIVE_GAP)
    for name in ("solver", "verifier"):
        limit = limits[name].estimate
        if limit is None:
            continue
        if trajectory.kind == "uncertainty" and limit < 0:
            found.append(f"the limit of the {name} is below zero, which no uncertainty can be")
        if trajectory.kind == "accuracy" and not 0 <= limit <= 1:
            found.append(f"the limit of the {name} is outside [0, 1], which no accuracy can be")
    return found
