"""Fitting without choosing a law: all candidates are fitted, weighted, and averaged."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from jaxgap.fitting.arguments import check_law, check_level
from jaxgap.fitting.laws.drifting_ratio_law import DriftingRatioLaw
from jaxgap.fitting.laws.general_linear_law import GeneralLinearLaw
from jaxgap.fitting.laws.lagged_law import LaggedLaw
from jaxgap.fitting.laws.law import AbstractLaw
from jaxgap.fitting.laws.linear_law import LinearLaw
from jaxgap.fitting.laws.power_law import PowerLaw
from jaxgap.fitting.laws.rise_then_fall_law import RiseThenFallLaw
from jaxgap.fitting.laws.saturating_law import SaturatingLaw
from jaxgap.fitting.selection.averaged import AveragedResult
from jaxgap.fitting.selection.averaging import averaged_result
from jaxgap.fitting.selection.candidates import Candidate, fit_candidates
from jaxgap.fitting.selection.confidence import ConfidenceCurve
from jaxgap.fitting.selection.search import Fits
from jaxgap.fitting.selection.tracing import Query, confidence_curves
from jaxgap.fitting.selection.weights import law_weights
from jaxgap.trajectory import Trajectory
from jaxgap.trajectory.computable import check_computable

CANDIDATES: tuple[AbstractLaw, ...] = (
    LinearLaw(),
    PowerLaw(),
    SaturatingLaw(),
    LaggedLaw(),
    DriftingRatioLaw(),
    GeneralLinearLaw(),
    RiseThenFallLaw(),
)
# A law with less weight than this moves no interval end noticeably.
_MIN_WEIGHT = 0.02
# The most trajectories whose confidence curves are traced in one call.
_BATCH = 128


def fit_auto(
    trajectory: Trajectory,
    *,
    laws: Sequence[AbstractLaw] = CANDIDATES,
    level: float = 0.9,
) -> AveragedResult:
    r"""Fit every law to one trajectory, weight the laws, and average their results.

    $$\sum_m w_m\, C_m(c) = \tfrac{1 \mp p}{2}$$

    gives the ends of an interval at level $p$, with $C_m$ the confidence curve of law $m$ for the
    number $c$, from its profile likelihood, and $w_m$ the weights of :func:`law_weights`.

    **Arguments:**

    - `trajectory`: the measurements.
    - `laws`: the candidates, by default every law with a closed form. Laws with more parameters
        than the measurements allow are left out, and, without a verifier, those that differ from
        others only in the verifier.
    - `level`: of the intervals, in (0, 1).

    **Returns:**

    An :class:`AveragedResult`.

    **Raises:**

    `InputError` (a `ValueError`) if the level is not in (0, 1), if the trajectory is too long or
    its numbers are too large or too small to compute with, or if no law has finite curves on it;
    `ValueError` if there are no laws, or something else among them.

    **Example:**

    >>> ts = np.arange(12.0)
    >>> noise = 0.01 * np.random.default_rng(0).standard_normal((2, 12))
    >>> run = Trajectory(ts, 1 + 2 * np.exp(-ts / 2) + noise[0], 0.5 + np.exp(-ts / 2) + noise[1])
    >>> result = fit_auto(run, laws=(LinearLaw(), PowerLaw()))
    >>> low, high = result.limits["solver"].interval
    >>> low < 1.0 < high
    True

    Sources: Burnham and Anderson, *Model Selection and Multimodel Inference* (2002); Turek and
    Fletcher, Comput. Stat. Data Anal. 56 (2012), for the intervals.
    """
    (result,) = fit_auto_many([trajectory], laws=laws, level=level)
    return result


def fit_auto_many(
    trajectories: Sequence[Trajectory],
    *,
    laws: Sequence[AbstractLaw] = CANDIDATES,
    level: float = 0.9,
) -> list[AveragedResult]:
    """:func:`fit_auto` for each of many trajectories, in parallel batches.

    **Arguments:**

    - `trajectories`: the measurements.
    - `laws`, `level`: as for :func:`fit_auto`.

    **Returns:**

    One :class:`AveragedResult` for each trajectory, in their order.

    **Raises:**

    As :func:`fit_auto`, if it would for any of them.

    **Example:**

    >>> fit_auto_many([])
    []
    """
    check_level(level)
    level = float(level)
    if not laws:
        raise ValueError("laws must hold at least one law, got none")
    for law in laws:
        check_law(law)
    for trajectory in trajectories:
        check_computable(trajectory)
    found = fit_candidates(laws, trajectories)
    weights = [law_weights(candidates) for candidates in found]
    curves = _traced(found, weights)
    return [
        averaged_result(run, candidates, w, traced, level)
        for run, candidates, w, traced in zip(trajectories, found, weights, curves, strict=True)
    ]


def _traced(
    found: Sequence[Sequence[Candidate]], weights: Sequence[Float[np.ndarray, " laws"]]
) -> list[dict[str, list[ConfidenceCurve]]]:
    """For each trajectory, the confidence curves of every law with enough weight, by law name."""
    traced: list[dict[str, list[ConfidenceCurve]]] = [{} for _ in found]
    batches: dict[tuple, list[tuple[int, Candidate]]] = {}
    for index, (candidates, each) in enumerate(zip(found, weights, strict=True)):
        for candidate, weight in zip(candidates, each, strict=True):
            if weight >= _MIN_WEIGHT:
                curves = candidate.curves
                alike = (candidate.problem.law.name, len(curves.ts), curves.has_verifier)
                batches.setdefault(alike, []).append((index, candidate))
    for (name, *_), members in batches.items():
        for first in range(0, len(members), _BATCH):
            chunk = members[first : first + _BATCH]
            for (index, _), curves in zip(chunk, _trace([c for _, c in chunk]), strict=True):
                traced[index][name] = curves
    return traced


def _trace(candidates: Sequence[Candidate]) -> list[list[ConfidenceCurve]]:
    """The confidence curves of one law on several trajectories of equal padded length."""
    fits = Fits(
        *(np.concatenate(leaves) for leaves in zip(*(c.fit for c in candidates), strict=True))
    )
    dofs = np.array([c.dof for c in candidates])
    curves = [c.curves for c in candidates]
    queries = [Query(np.inf, index) for index in range(3 if curves[0].has_verifier else 1)]
    return confidence_curves(candidates[0].problem, curves, fits, dofs, queries)
