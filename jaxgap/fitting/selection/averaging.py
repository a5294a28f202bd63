"""From fitted and weighted candidates to one averaged result in the trajectory's own terms."""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float

from jaxgap.fitting.curves import Curves
from jaxgap.fitting.laws.law import LIMITS
from jaxgap.fitting.noise import Binomial, weighted_curves
from jaxgap.fitting.results.assemble_result import goodness, limit_warnings
from jaxgap.fitting.results.estimate import NO_VERIFIER, Estimate
from jaxgap.fitting.selection.averaged import AveragedResult, LawSummary, averaged_estimate
from jaxgap.fitting.selection.candidates import Candidate
from jaxgap.fitting.selection.confidence import ConfidenceCurve
from jaxgap.trajectory import Trajectory

_GAUSSIAN_COUNTS = (
    "accuracies are weighted by their counts' standard errors, as Gaussian noise: near 0 and 1 a "
    "fit of one law, with binomial noise, is more accurate"
)
_LIMIT_NAMES = tuple(limit.name for limit in LIMITS)


def averaged_result(
    run: Trajectory,
    candidates: Sequence[Candidate],
    weights: Float[np.ndarray, " laws"],
    traced: Mapping[str, Sequence[ConfidenceCurve]],
    level: float,
) -> AveragedResult:
    """The result of the candidates for one trajectory, separately and averaged.

    **Arguments:**

    - `run`: the measurements.
    - `candidates`, `weights`: the laws fitted to it, and their weights.
    - `traced`: by law name, the confidence curves of the limits, for laws with enough weight.
    - `level`: of the intervals.
    """
    all_weights = {c.problem.law.name: float(w) for c, w in zip(candidates, weights, strict=True)}
    counted = {c.problem.law.name: c for c in candidates if c.problem.law.name in traced}
    shares = np.array([all_weights[name] for name in counted])
    shares = (shares / shares.sum()).tolist()
    curves = candidates[0].curves
    averaged = _estimates(run, curves, [traced[name] for name in counted], shares, level)
    limits = {name: averaged.get(name, Estimate.absent(NO_VERIFIER)) for name in _LIMIT_NAMES}
    pairs = zip(shares, counted.values(), strict=True)
    ts = np.asarray(curves.ts)
    fitted = sum(share * each.curves_at(ts) for share, each in pairs)
    best = max(counted, key=lambda name: all_weights[name])
    free = counted[best].problem.num_free(curves)
    _, noise, remarks = weighted_curves(run, len(curves.ts))
    r2, diagnostics = goodness(noise, curves, np.asarray(fitted), run.num_rows, free, run.kind)
    converged = {name: bool(c.fit.converged[0]) for name, c in counted.items()}
    return AveragedResult(
        limits=limits,
        weights=all_weights,
        laws={
            c.problem.law.name: _summary(run, c, all_weights[c.problem.law.name], traced, level)
            for c in candidates
        },
        level=level,
        r2=r2,
        converged=all(converged.values()),
        stopped=_stopped(converged),
        num_points=run.num_rows,
        remarks=(
            *remarks,
            *([_GAUSSIAN_COUNTS] if isinstance(noise, Binomial) else []),
            *_remarks(candidates),
            *limit_warnings(run, limits),
            *diagnostics.warnings(),
        ),
        diagnostics=diagnostics,
        kind=run.kind,
        time_unit=run.time_unit,
        trajectory=run,
        candidates=counted,
    )


def _estimates(
    run: Trajectory,
    curves: Curves,
    traced: Sequence[Sequence[ConfidenceCurve]],
    shares: Sequence[float],
    level: float,
) -> dict[str, Estimate]:
    """By name, the limits that the trajectory can show."""
    return {
        name: averaged_estimate(
            of_laws,
            shares,
            level,
            mirrored=run.kind == "accuracy" and name != "gap",
            most=float(curves.value_scale),
            is_limit=True,
        )
        for name, of_laws in zip(_LIMIT_NAMES, zip(*traced, strict=True), strict=False)
    }


def _summary(
    run: Trajectory,
    candidate: Candidate,
    weight: float,
    traced: Mapping[str, Sequence[ConfidenceCurve]],
    level: float,
) -> LawSummary:
    """The summary of one law."""
    name, scores = candidate.problem.law.name, candidate.scores
    limits: dict[str, Estimate] = {}
    if name in traced:
        alone = _estimates(run, candidate.curves, [traced[name]], [1.0], level)
        limits = {limit: alone[limit] for limit in _LIMIT_NAMES if limit in alone}
    found = candidate.criteria
    held_out = [float(each.mean()) if len(each) else None for each in scores]
    return LawSummary(
        weight=weight,
        limits=limits,
        log_likelihood=found.log_likelihood,
        num_parameters=found.num_parameters,
        aicc=found.finite_aicc,
        bic=found.bic,
        one_ahead=held_out[0],
        to_end=held_out[1],
        converged=bool(candidate.fit.converged[0]),
    )


def _stopped(converged: Mapping[str, bool]) -> str:
    missed = [name for name, reached in converged.items() if not reached]
    if not missed:
        return "converged: no law with appreciable weight can be fitted any better"
    return f"stopped before a minimum: {', '.join(missed)}"


def _remarks(candidates: Sequence[Candidate]) -> list[str]:
    found = []
    if not len(candidates[0].scores.one_ahead):
        found.append("the run is too short to hold out rows: no law was tested by its forecasts")
    if len(candidates) == 1:
        name = candidates[0].problem.law.name
        found.append(f"there are only enough measurements for one law, the {name} law")
    return found
