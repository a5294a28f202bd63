"""What a fit says: estimates with their uncertainty, how good it is, and what to beware of."""

import dataclasses
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

from jaxgap.dynamics.abstract_dynamics import AbstractDynamics
from jaxgap.fitting.core import Problem, RawFit
from jaxgap.fitting.curves import Curves
from jaxgap.fitting.diagnostics import Diagnostics
from jaxgap.fitting.estimate import Estimate
from jaxgap.fitting.prediction import Prediction, predict_bands
from jaxgap.trajectory import Kind


@dataclasses.dataclass(frozen=True)
class Source:
    """What a result was computed from, kept so that it can be asked for more."""

    problem: Problem
    curves: Curves
    raw: RawFit
    quantile: float | None


@dataclasses.dataclass(frozen=True)
class FitResult:
    """A law fitted to one trajectory.

    - `model`: the law's name.
    - `parameters`, `limits`: by name, each an :class:`Estimate`. Capabilities are in the
        trajectory's own terms: accuracies where it holds accuracies.
    - `level`: of the intervals.
    - `r2`: the unweighted R^2 of the solver, the verifier and the gap, or `None`.
    - `converged`, `stopped`: whether a minimum was reached, and in words why the search ended.
    - `num_points`: the number of rows of the trajectory.
    - `num_starts`, `num_agreeing`: how many starts there were, and how many found this minimum.
    - `warnings`: what a reader has to know.
    - `diagnostics`: statistics of the residuals.
    - `kind`, `time_unit`: those of the trajectory.
    - `dynamics`: the fitted law in the equations' own terms, uncertainties or error rates. Its
        leaves are float64 NumPy, which no setting of jax rounds. Without a verifier its ratio and
        its `verifier_initial` are placeholders of zero.
    - `source`: what the result was computed from.
    """

    model: str
    parameters: dict[str, Estimate]
    limits: dict[str, Estimate]
    level: float
    r2: dict[str, float | None]
    converged: bool
    stopped: str
    num_points: int
    num_starts: int
    num_agreeing: int
    warnings: tuple[str, ...]
    diagnostics: Diagnostics
    kind: Kind
    time_unit: str
    dynamics: AbstractDynamics = dataclasses.field(repr=False)
    source: Source = dataclasses.field(repr=False)

    def predict(self, ts: ArrayLike) -> Prediction:
        """The fitted curves at `ts`, with bands for the curves (not for single measurements).

        Each band is the profile-likelihood interval of the curve at that time, at the fit's level:
        it widens, as it should, where the curve is extrapolated. Its ends are infinite where the
        data set no bound.

        **Arguments:**

        - `ts`: times, shape `(times,)`, none before the first measured time.

        **Returns:**

        A :class:`Prediction`, in the trajectory's own terms.

        **Raises:**

        `ValueError` for times before the first, or not of one dimension.
        """
        ts = np.asarray(ts, dtype=np.float64)
        first = float(self.source.curves.t0)
        if ts.ndim != 1 or not ts.size:
            raise ValueError(f"ts must be a list of times, got shape {ts.shape}")
        if not np.isfinite(ts).all() or ts.min() < first:
            raise ValueError(
                f"ts must be finite and not before the first measured time {first:g}, "
                f"got {ts.min():g}"
            )
        source = self.source
        bands = predict_bands(source.problem, source.curves, source.raw, ts, source.quantile)
        return Prediction.of_bands(ts, bands, self.level, self.kind, source.curves.has_verifier)

    def to_dict(self) -> dict[str, Any]:
        """The public JSON form: nothing in it is NaN or infinite."""
        return {
            "model": self.model,
            "parameters": {name: value.to_dict() for name, value in self.parameters.items()},
            "limits": {name: value.to_dict() for name, value in self.limits.items()},
            "level": self.level,
            "r2": _with_reason(self.r2),
            "converged": self.converged,
            "stopped": self.stopped,
            "num_points": self.num_points,
            "num_starts": self.num_starts,
            "num_agreeing": self.num_agreeing,
            "warnings": list(self.warnings),
            "diagnostics": self.diagnostics.to_dict(),
            "kind": self.kind,
            "time_unit": self.time_unit,
        }


def _with_reason(r2: dict[str, float | None]) -> dict[str, Any]:
    """The R^2, and why any of them is missing."""
    missing = [name for name, value in r2.items() if value is None]
    reason = f"{' and '.join(missing)}: not measured, or the same at all times"
    return {**r2, "reason": reason} if missing else dict(r2)


def measured_and_fitted(
    curves: Curves, raw: RawFit, num_rows: int
) -> tuple[dict[str, Float[np.ndarray, " T"]], dict[str, Float[np.ndarray, " T"]]]:
    """The solver, verifier and gap as measured and as fitted, without the padding."""
    pair = []
    for states in (np.asarray(curves.ys), np.asarray(raw.fitted)):
        solver, verifier = states[:num_rows].T
        series = {"solver": solver}
        if curves.has_verifier:
            series |= {"verifier": verifier, "gap": solver - verifier}
        pair.append(series)
    return pair[0], pair[1]
