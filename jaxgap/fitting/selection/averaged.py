"""The combined result of several laws: their weights, and the average over them."""

import dataclasses
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

from jaxgap.fitting.diagnosis import Diagnosis, diagnose
from jaxgap.fitting.noise import weighted_curves
from jaxgap.fitting.own_terms import own_interval, own_terms
from jaxgap.fitting.results.abstract_result import AbstractResult
from jaxgap.fitting.results.diagnostics import Diagnostics
from jaxgap.fitting.results.estimate import NO_NOISE, NO_VERIFIER, Estimate, finite_or_none
from jaxgap.fitting.results.prediction import Prediction, checked_times
from jaxgap.fitting.results.result import with_reason
from jaxgap.fitting.selection.averaged_report import averaged_report
from jaxgap.fitting.selection.candidates import Candidate
from jaxgap.fitting.selection.confidence import ConfidenceCurve, average
from jaxgap.fitting.selection.tracing import Query, confidence_curves
from jaxgap.trajectory import Kind, Trajectory

# The confidences one standard error either side of the median, for a normal confidence curve.
_ONE_STDERR = (0.158655, 0.841345)
_OWN_MEANING = "it does not mean the same under every law: fit one law for it"


@dataclasses.dataclass(frozen=True)
class LawSummary:
    """One law among those averaged.

    - `weight`: its weight in the average.
    - `limits`: by name, under this law alone; empty for a law of negligible weight.
    - `log_likelihood`, `num_parameters`, `aicc`, `bic`: see :mod:`jaxgap.fitting.results.criteria`;
        `aicc` is `None` where there are too few measurements for it.
    - `one_ahead`, `to_end`: means of the held-out log scores over origins, in nats; `None` if the
        run is too short to hold anything out.
    - `converged`: whether its fit reached a minimum.
    """

    weight: float
    limits: dict[str, Estimate]
    log_likelihood: float
    num_parameters: int
    aicc: float | None
    bic: float
    one_ahead: float | None
    to_end: float | None
    converged: bool

    def to_dict(self) -> dict[str, Any]:
        """The public JSON form."""
        fields = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        for name in ("log_likelihood", "bic", "one_ahead", "to_end"):
            fields[name] = finite_or_none(fields[name])
        return fields | {"limits": {name: limit.to_dict() for name, limit in self.limits.items()}}


@dataclasses.dataclass(frozen=True)
class AveragedResult(AbstractResult):
    """Several laws fitted to one trajectory, and their average.

    - `limits`: averaged; an interval ends where the weighted confidence of the laws reaches the
        level (see :func:`jaxgap.fitting.selection.average`), and the estimate is the median.
    - `weights`: by law name; they sum to one.
    - `laws`: a :class:`LawSummary` for each.
    - `level`, `r2`, `converged`, `stopped`, `num_points`, `remarks`, `diagnostics`, `kind`,
        `time_unit`: as in :class:`jaxgap.fitting.FitResult`; the R^2 and the residuals are those
        of the averaged curves, and `converged` means that the fit of every law that counts did.
    - `trajectory`, `candidates`: what was fitted, and the fits with enough weight to count.
    """

    limits: dict[str, Estimate]
    weights: dict[str, float]
    laws: dict[str, LawSummary]
    level: float
    r2: dict[str, float | None]
    converged: bool
    stopped: str
    num_points: int
    remarks: tuple[str, ...]
    diagnostics: Diagnostics
    kind: Kind
    time_unit: str
    trajectory: Trajectory = dataclasses.field(repr=False)
    candidates: Mapping[str, Candidate] = dataclasses.field(repr=False)
    model: str = "auto"

    @property
    def subject(self) -> str:
        """The average, as the subject of a sentence."""
        return "The average over laws"

    @property
    def failure(self) -> None:
        """Always `None`: laws that did not converge are reported, and weighted on their merits."""
        return None

    @property
    def has_verifier(self) -> bool:
        """Whether the verifier was measured."""
        return self.trajectory.verifier is not None

    @property
    def best(self) -> str:
        """The name of the law with the largest weight."""
        return max(self.weights, key=lambda name: self.weights[name])

    @cached_property
    def parameters(self) -> dict[str, Estimate]:
        """Those of the paper's law; `None`, with a reason, where their meaning varies by law."""
        own = Estimate(None, None, None, _OWN_MEANING, "practically unidentifiable")
        found = {"rate": own, "ratio": own, "gap_limit": self.limits["gap"]}
        series = ("solver", "verifier")
        num_series = 1 + self.has_verifier
        traced = self._confidence([Query(0.0, index) for index in range(num_series)])
        scale = float(self.candidates[self.best].curves.value_scale)
        mirrored = self.kind == "accuracy"
        for name, of_laws in zip(series, traced, strict=False):
            found[f"{name}_initial"] = averaged_estimate(
                of_laws, self._shares, self.level, mirrored=mirrored, most=scale
            )
        for name in series[num_series:]:
            found[f"{name}_initial"] = Estimate.absent(NO_VERIFIER)
        return found

    @cached_property
    def diagnosis(self) -> Diagnosis:
        """Whether the theory describes this run, by the residuals of the law of most weight."""
        found = self.candidates[self.best]
        _, noise, _ = weighted_curves(self.trajectory, len(found.curves.ts))
        problem = dataclasses.replace(found.problem, noise=noise)
        return diagnose(problem, found.curves, found.fit.coordinates[0], self.time_unit)

    def report(self) -> str:
        """The whole result as text: see :mod:`jaxgap.fitting.selection.averaged_report`."""
        return averaged_report(self)

    def predict(self, ts: ArrayLike) -> Prediction:
        """The averaged curves at `ts`, with bands for the curves (not for single measurements).

        At each time the laws' confidence curves are averaged as for the limits, so that far out the
        prediction approaches the limit and its interval. With too few measurements to estimate the
        noise, it is the average of the fitted curves, and every end is infinite.

        **Arguments:**

        - `ts`: times, shape `(times,)`, in any order, none before the first measured time.

        **Returns:**

        A :class:`Prediction`, in the trajectory's own terms.

        **Raises:**

        `ValueError` for times before the first measured one, or not one-dimensional.
        """
        ts = checked_times(ts, float(self.trajectory.ts[0]))
        # Padded to one of a few sizes, so that few programs are compiled.
        padded = np.pad(ts, (0, (1 << (len(ts) - 1).bit_length()) - len(ts)), mode="edge")
        known = all(each.dof >= 1 for each in self.candidates.values())
        bands = self._bands(padded) if known else self._open_bands(padded)
        return Prediction.of_bands(ts, bands[: len(ts)], self.level, self.kind, self.has_verifier)

    def _bands(self, ts: Float[np.ndarray, " times"]) -> Float[np.ndarray, "times 3 3"]:
        """Median, lower and upper end by time and series; NaN for what was not measured."""
        indices = range(3 if self.has_verifier else 1)
        queries = [Query(float(t - self.trajectory.ts[0]), index) for t in ts for index in indices]
        tail = (1 - self.level) / 2
        asked = np.array([0.5, tail, 1 - tail])
        found = np.array([average(c, self._shares, asked) for c in self._confidence(queries)])
        bands = np.full((len(ts), 3, 3), np.nan)
        bands[:, : len(indices)] = found.reshape(len(ts), len(indices), 3)
        return bands

    def _open_bands(self, ts: Float[np.ndarray, " times"]) -> Float[np.ndarray, "times 3 3"]:
        """The averaged curves of the fits, with infinite bands."""
        fitted = zip(self._shares, self.candidates.values(), strict=True)
        solver, verifier = np.sum([share * each.curves_at(ts) for share, each in fitted], axis=0).T
        bands = np.empty((len(ts), 3, 3))
        bands[..., 0] = np.stack([solver, verifier, solver - verifier], axis=1)
        bands[..., 1:] = -np.inf, np.inf
        return bands

    @property
    def _shares(self) -> list[float]:
        """The weights of the laws that count, normalised to sum to one."""
        counted = np.array([self.weights[name] for name in self.candidates])
        return (counted / counted.sum()).tolist()

    def _confidence(self, queries: list[Query]) -> list[tuple[ConfidenceCurve, ...]]:
        """For each query, the confidence curves of the laws that count."""
        curves = []
        for candidate in self.candidates.values():
            dofs = np.array([candidate.dof])
            (traced,) = confidence_curves(
                candidate.problem, [candidate.curves], candidate.fit, dofs, queries
            )
            curves.append(traced)
        return list(zip(*curves, strict=True))

    def to_dict(self) -> dict[str, Any]:
        """The public JSON form, that of a fit plus weights; nothing in it is NaN or infinite."""
        return {
            "model": self.model,
            "parameters": {name: value.to_dict() for name, value in self.parameters.items()},
            "limits": {name: value.to_dict() for name, value in self.limits.items()},
            "weights": dict(self.weights),
            "laws": {name: law.to_dict() for name, law in self.laws.items()},
            "level": self.level,
            "r2": with_reason(self.r2),
            "converged": self.converged,
            "stopped": self.stopped,
            "num_points": self.num_points,
            "warnings": list(self.warnings),
            "diagnostics": self.diagnostics.to_dict() | self.diagnosis.to_dict(),
            "kind": self.kind,
            "time_unit": self.time_unit,
        }


def averaged_estimate(
    of_laws: Sequence[ConfidenceCurve],
    shares: Sequence[float],
    level: float,
    *,
    mirrored: bool,
    most: float,
    is_limit: bool = False,
) -> Estimate:
    """The averaged median, the half-width of the one-sigma interval, and that at `level`."""
    if any(np.isnan(curve.dof) or curve.dof < 1 for curve in of_laws):
        return Estimate.without_noise(None, NO_NOISE)
    tail = (1 - level) / 2
    asked = np.array([0.5, *_ONE_STDERR, tail, 1 - tail])
    middle, left, right, low, high = average(of_laws, shares, asked)
    left, right = own_interval(left, right, mirrored)
    low, high = own_interval(low, high, mirrored)
    found = Estimate.measured(
        float(own_terms(middle, mirrored)),
        float(right - left) / 2,
        (float(low), float(high)),
        most=most,
        is_limit=is_limit,
    )
    return found.within(0.0, 1.0) if mirrored else found
