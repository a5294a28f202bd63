"""The result of a fit: estimates with their uncertainty, goodness of fit, and warnings."""

import dataclasses
import itertools
import math
from functools import cached_property
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key
from numpy.typing import ArrayLike

from jaxgap.dynamics.abstract_dynamics import AbstractDynamics
from jaxgap.errors import InputError
from jaxgap.fitting.curves import Curves
from jaxgap.fitting.diagnosis import Diagnosis, diagnose
from jaxgap.fitting.diagnosis.beyond import Level, level_at_end
from jaxgap.fitting.draws.bootstrap import Bootstrap, bootstrap
from jaxgap.fitting.draws.nuts import Posterior, posterior
from jaxgap.fitting.intervals.correlations import correlation_matrix
from jaxgap.fitting.noise.abstract_noise import NOISE_FLOOR
from jaxgap.fitting.own_terms import own_terms
from jaxgap.fitting.precision import double_precision
from jaxgap.fitting.problem import FitProblem
from jaxgap.fitting.raw_fit import RawFit, RawNumbers
from jaxgap.fitting.results.abstract_result import AbstractResult
from jaxgap.fitting.results.criteria import Criteria, criteria
from jaxgap.fitting.results.diagnostics import Diagnostics
from jaxgap.fitting.results.estimate import NO_NOISE, Estimate
from jaxgap.fitting.results.fit_report import fit_report
from jaxgap.fitting.results.prediction import Prediction, checked_times, predict_bands
from jaxgap.fitting.results.series import in_own_terms, measured_and_fitted
from jaxgap.fitting.results.time_left import TimeLeft, time_left_of
from jaxgap.trajectory import Kind


@dataclasses.dataclass(frozen=True)
class Source:
    """What a result was computed from, kept so that more can be computed from it later."""

    problem: FitProblem
    curves: Curves
    raw: RawFit
    numbers: RawNumbers
    quantile: float | None


@dataclasses.dataclass(frozen=True)
class FitResult(AbstractResult):
    """A law fitted to one trajectory.

    - `model`: the law's name.
    - `parameters`, `limits`: by name, each an :class:`Estimate`. Capabilities are in the
        trajectory's own terms: accuracies where it holds accuracies.
    - `level`: of the intervals.
    - `r2`: the unweighted R^2 of the solver, the verifier and the gap, or `None`.
    - `converged`, `stopped`: whether a minimum was reached, and why the search ended, in words.
    - `num_points`: the number of rows of the trajectory.
    - `num_starts`, `num_agreeing`: how many starts there were, and how many found this minimum.
    - `remarks`: what came up during the fit that a reader has to know.
    - `diagnostics`: statistics of the residuals.
    - `kind`, `time_unit`: those of the trajectory.
    - `dynamics`: the fitted law in the terms of the equations: uncertainties or error rates. Its
        leaves are float64 NumPy, which no JAX setting rounds. Without a verifier its ratio and
        `verifier_initial` are zero placeholders.
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
    remarks: tuple[str, ...]
    diagnostics: Diagnostics
    kind: Kind
    time_unit: str
    dynamics: AbstractDynamics = dataclasses.field(repr=False)
    source: Source = dataclasses.field(repr=False)

    @property
    def subject(self) -> str:
        """The law, as the subject of a sentence."""
        return f"The {self.model} law"

    @property
    def failure(self) -> str | None:
        """Why the fit did not converge, in words; `None` if it did."""
        return None if self.converged else self.stopped

    @property
    def has_verifier(self) -> bool:
        """Whether the verifier was measured."""
        return self.source.curves.has_verifier

    @cached_property
    def diagnosis(self) -> Diagnosis:
        """Whether the law, and the theory behind it, describe this run; computed on first use."""
        source = self.source
        coordinates = np.asarray(source.raw.coordinates)
        return diagnose(source.problem, source.curves, coordinates, self.time_unit)

    @cached_property
    def criteria(self) -> Criteria:
        """AICc and BIC, to be compared between laws on the same trajectory."""
        source = self.source
        num_parameters = source.problem.num_free(source.curves)
        num_parameters += source.problem.noise.num_estimated(source.curves)
        log_likelihood = float(source.raw.log_likelihoods.sum())
        return criteria(log_likelihood, num_parameters, int(source.curves.num_measurements))

    @cached_property
    def last_level(self) -> Level | None:
        """The solver's level at the last row as the rows show it, in the trajectory's own terms.

        `None` where there are fewer than seven rows.
        """
        source = self.source
        fitted = np.asarray(source.raw.fitted)
        return level_at_end(
            *in_own_terms(source.curves, fitted, self.num_points, self.kind)["solver"]
        )

    @cached_property
    def correlations(self) -> dict[tuple[str, str], float]:
        """Correlation of each pair of estimates that have standard errors, from the curvature.

        In the trajectory's own terms: what raises an error rate lowers an accuracy.
        """
        determined = [name for name, value in self.parameters.items() if value.stderr is not None]
        source = self.source
        parameters = source.problem.law.parameters
        names = [parameter.name for parameter in parameters]
        coordinates = np.asarray(source.raw.coordinates)
        found = correlation_matrix(source.problem, source.curves, coordinates)
        signs = [-1.0 if parameter.is_mirrored(self.kind) else 1.0 for parameter in parameters]
        found = found[: len(names), : len(names)] * np.outer(signs, signs)
        index = {name: names.index(name) for name in determined}
        return {
            (first, second): float(found[index[first], index[second]])
            for first, second in itertools.combinations(determined, 2)
        }

    @cached_property
    def covariance(self) -> dict[tuple[str, str], float]:
        """Covariance of each pair of parameters that have standard errors; also the variances."""
        stderrs = {n: each.stderr for n, each in self.parameters.items() if each.stderr is not None}
        variances = {(name, name): stderr**2 for name, stderr in stderrs.items()}
        return variances | {
            (first, second): correlation * stderrs[first] * stderrs[second]
            for (first, second), correlation in self.correlations.items()
        }

    def fitted_curves(
        self, ts: Float[np.ndarray, " times"]
    ) -> dict[str, Float[np.ndarray, " times"]]:
        """The fitted solver, and the verifier if it was measured, at `ts`; without bands.

        **Arguments:**

        - `ts`: times, shape `(times,)`, none before the first measured time.

        **Returns:**

        The series by name, in the trajectory's own terms: accuracies end at 0 and 1.

        **Raises:**

        `ValueError` for times before the first measured one, not finite, or not one-dimensional.
        """
        ts = checked_times(ts, float(self.source.curves.t0))
        with double_precision():
            fitted = np.asarray(self.source.problem.curve_fn(self.dynamics, jnp.asarray(ts)))
        names = ("solver", "verifier")[: 1 + self.has_verifier]
        series = own_terms(fitted, self.kind == "accuracy").T
        if self.kind == "accuracy":
            series = np.clip(series, 0.0, 1.0)
        return dict(zip(names, series, strict=False))

    @property
    def residual_stderr(self) -> float:
        r"""The standard deviation of the solver's measurements about the fitted curve.

        $$\sqrt{\frac{\sum_i (y_i - \hat y_i)^2}{m (n - k / m')}}$$

        over the $m$ series that share the solver's scale, out of $m'$ that were measured, each with
        $n$ rows; $k$ is the number of free parameters. Never below round-off.
        """
        problem, curves = self.source.problem, self.source.curves
        measured, fitted = measured_and_fitted(
            curves, np.asarray(self.source.raw.fitted), self.num_points
        )
        names = [name for name in measured if name != "gap"]
        free = problem.num_free(curves) / len(names)
        if problem.noise.num_estimated(curves) > 1:
            names = ["solver"]  # which has a scale of its own
        squares = sum(float(((measured[name] - fitted[name]) ** 2).sum()) for name in names)
        dof = len(names) * (self.num_points - free)
        round_off = NOISE_FLOOR * float(curves.value_scale)
        return max(math.sqrt(squares / max(dof, 1)), round_off)

    def report(self) -> str:
        """The whole result as text, like lmfit's `fit_report`."""
        return fit_report(self)

    def predict(self, ts: ArrayLike) -> Prediction:
        """The fitted curves at `ts`, with bands for the curves (not for single measurements).

        Each band is the profile-likelihood interval of the curve at that time, at the fit's level:
        it widens, as it should, under extrapolation. Its ends are infinite where the data set no
        bound.

        **Arguments:**

        - `ts`: times, shape `(times,)`, in any order, none before the first measured time.

        **Returns:**

        A :class:`Prediction`, in the trajectory's own terms.

        **Raises:**

        `ValueError` for times before the first measured one, or not one-dimensional.
        """
        source = self.source
        ts = checked_times(ts, float(source.curves.t0))
        bands = predict_bands(source.problem, source.curves, source.raw, ts, source.quantile)
        return Prediction.of_bands(ts, bands, self.level, self.kind, self.has_verifier)

    def time_left(self, epsilon: float | None = None) -> TimeLeft:
        r"""How much longer, under this law, until the solver is within `epsilon` of its limit.

        $$\max\Big(t_0 + \frac{1}{\kappa} \ln\frac{|\delta|}{(1-r)\,\epsilon} - t,\ 0\Big)$$

        at the last time $t$, for the linear law (Corollary 3.2 of arXiv:2507.00075, applied to the
        solver), and the corresponding time for the power, saturating and lagged laws. Its interval
        is from the profile likelihood, at the fit's level.

        **Arguments:**

        - `epsilon`: a distance > 0 in the unit of the capabilities; by default a point of accuracy,
            or a twentieth of the fitted curve's last value.

        **Returns:**

        A :class:`jaxgap.fitting.results.time_left.TimeLeft`, in time units: rounds where the time
        unit is a round. It is withheld, with the reason, where the solver's limit is withheld, and
        for other laws.

        **Raises:**

        `InputError` (a `ValueError`) for an epsilon that is not above zero.
        """
        return self._time_left if epsilon is None else time_left_of(self, epsilon)

    @cached_property
    def _time_left(self) -> TimeLeft:
        """For the default epsilon, which the report and the JSON both use."""
        return time_left_of(self, None)

    def bootstrap(self, num_samples: int = 1000, *, key: Key[Array, ""]) -> Bootstrap:
        """Parametric bootstrap: draw runs from the fitted law and its noise, and refit each.

        **Arguments:**

        - `num_samples`: how many runs, at least 1; an interval needs a few hundred.
        - `key`: a `jax.random` key; the same key gives the same runs.

        **Returns:**

        A :class:`jaxgap.fitting.draws.bootstrap.Bootstrap`, whose `intervals(level)` are
        percentiles. Refits that do not converge are left out and counted.

        **Raises:**

        `InputError` (a `ValueError`) for fewer than one sample, or where the noise cannot be
        estimated.
        """
        source = self.source
        if source.quantile is None:
            raise InputError(NO_NOISE)
        return bootstrap(source.problem, source.curves, source.raw, self.kind, num_samples, key)

    def posterior(
        self,
        *,
        key: Key[Array, ""],
        num_chains: int = 4,
        num_warmup: int = 500,
        num_samples: int = 1000,
    ) -> Posterior:
        """Draw from the posterior by NUTS, under the priors of :mod:`jaxgap.fitting.draws.nuts`.

        **Arguments:**

        - `key`: a `jax.random` key; the same key gives the same draws.
        - `num_chains`: how many chains, run in parallel; at least 1.
        - `num_warmup`, `num_samples`: per chain, adaptation steps (at least 20) and draws kept
            (at least 4).

        **Returns:**

        A :class:`jaxgap.fitting.draws.nuts.Posterior`: samples, R-hat, effective sizes,
        divergences.

        **Raises:**

        `InputError` (a `ValueError`) for fewer of these, for a fit that failed, and where NumPyro
        (extra `bayes`) is not installed.
        """
        source = self.source
        if not np.isfinite(source.raw.cost):
            raise InputError("the fit failed: there is nowhere to begin a posterior")
        return posterior(
            source.problem,
            source.curves,
            source.raw,
            self.kind,
            key,
            num_chains=num_chains,
            num_warmup=num_warmup,
            num_samples=num_samples,
        )

    def to_dict(self) -> dict[str, Any]:
        """The public JSON form, in which nothing is NaN or infinite."""
        return {
            "model": self.model,
            "parameters": {name: value.to_dict() for name, value in self.parameters.items()},
            "limits": {name: value.to_dict() for name, value in self.limits.items()},
            "time_left": self.time_left().to_dict(),
            "level": self.level,
            "r2": with_reason(self.r2),
            "criteria": self.criteria.to_dict(),
            "converged": self.converged,
            "stopped": self.stopped,
            "num_points": self.num_points,
            "num_starts": self.num_starts,
            "num_agreeing": self.num_agreeing,
            "warnings": list(self.warnings),
            "diagnostics": self.diagnostics.to_dict() | self.diagnosis.to_dict(),
            "kind": self.kind,
            "time_unit": self.time_unit,
        }


def with_reason(r2: dict[str, float | None]) -> dict[str, Any]:
    """The R^2 values, with the reason if any is missing."""
    missing = [name for name, value in r2.items() if value is None]
    reason = f"{' and '.join(missing)}: not measured, the same at all times, or the fit failed"
    return {**r2, "reason": reason} if missing else dict(r2)
