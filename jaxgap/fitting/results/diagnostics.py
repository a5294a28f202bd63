"""Whether to trust a fit: how much it explains, and what structure its residuals have left."""

import dataclasses
import math
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy.special import fdtrc, gammaincc, ndtr

from jaxgap.fitting.diagnosis.autocorrelation import lag_one
from jaxgap.fitting.diagnosis.finding import SIGNIFICANCE, chance
from jaxgap.fitting.diagnosis.growth import growth_with_level
from jaxgap.fitting.noise.abstract_noise import NOISE_FLOOR
from jaxgap.fitting.results.estimate import finite_or_none

# With fewer rows the residuals reflect the law as much as the noise.
_MIN_ROWS = 6
_ROUND_OFF = 10 * NOISE_FLOOR
# The difference of two rounded numbers is off by at most this many units in the last place.
_ROUND_OFFS = 4
# Which command has the option is said too, since other commands print the warnings of fits.
_PER_SERIES = "jaxgap fit --noise per-series, or noise=ScalePerSeries() in Python"
_RELATIVE = "jaxgap fit --noise relative, or noise=RelativeScale() in Python"
# In standard errors, where known: residuals this small are a bound keeping the curve off the rows.
_STANDS_STILL = 1e-3


@dataclasses.dataclass(frozen=True)
class Diagnostics:
    """Statistics of the residuals.

    - `autocorrelation`: by series, the lag-1 autocorrelation of the weighted residuals.
    - `autocorrelation_p_value`: the smallest p-value over the series, Bonferroni-corrected, of so
        large an autocorrelation in independent residuals (Ljung-Box at lag 1).
    - `inflation`: the factor by which the standard errors would grow if the residuals were a
        first-order autoregression with the largest of these; it is not applied.
    - `reduced_chi_squared`, `chi_squared_p_value`: of the fit, where the noise is known.
    - `noise_ratio`, `noise_ratio_p_value`: the verifier's residuals over the solver's (root mean
        squares), and the p-value of a ratio so far from one, where the fit assumes one unknown
        noise scale for both: an F test with the degrees of freedom split evenly.
    - `growth`, `growth_p_value`: a score, positive if the residuals are larger where the curves are
        higher, and the p-value of one so large (:mod:`jaxgap.fitting.diagnosis.growth`), where the
        fit assumes one unknown noise scale for uncertainties above zero.
    """

    autocorrelation: dict[str, float | None]
    autocorrelation_p_value: float | None
    inflation: float | None
    reduced_chi_squared: float | None
    chi_squared_p_value: float | None
    noise_ratio: float | None
    noise_ratio_p_value: float | None
    growth: float | None
    growth_p_value: float | None

    @classmethod
    def of_residuals(
        cls,
        residuals: dict[str, Float[np.ndarray, " T"]],
        num_free: int,
        *,
        noise_known: bool,
        one_scale: bool,
        levels: dict[str, Float[np.ndarray, " T"]] | None,
    ) -> "Diagnostics":
        """From the weighted residuals of each series.

        - `one_scale`: whether the fit assumes one unknown noise scale for all series.
        - `levels`: the fitted series if errors could be in proportion to them.
        """
        least = _STANDS_STILL if noise_known else _ROUND_OFF
        correlations = {name: _lag_one(values, least) for name, values in residuals.items()}
        sizes = {name: len(values) for name, values in residuals.items()}
        p_values = [
            _ljung_box_p_value(rho, sizes[name])
            for name, rho in correlations.items()
            if rho is not None and rho > 0
        ]
        found = [rho for rho in correlations.values() if rho is not None]
        worst = min(max([0.0, *found]), 0.99)
        dof = sum(sizes.values()) - num_free
        squares = float(sum((values**2).sum() for values in residuals.values()))
        judged = noise_known and dof > 0 and math.isfinite(squares)
        compared = one_scale and len(residuals) == 2 and dof > 0
        ratio = _noise_ratio(*residuals.values()) if compared else None
        growth = _growth(residuals, levels) if one_scale and levels and dof > 0 else None
        return cls(
            autocorrelation=correlations,
            autocorrelation_p_value=min(1.0, len(found) * min([1.0, *p_values])) if found else None,
            inflation=math.sqrt((1 + worst) / (1 - worst)) if found else None,
            reduced_chi_squared=squares / dof if judged else None,
            chi_squared_p_value=float(gammaincc(dof / 2, squares / 2)) if judged else None,
            noise_ratio=ratio,
            noise_ratio_p_value=None if ratio is None else _variance_p_value(ratio**2, dof / 2),
            growth=growth,
            growth_p_value=None if growth is None else float(ndtr(-growth)),
        )

    def warnings(self) -> list[str]:
        """What a reader has to know of this, in words."""
        # Errors in proportion to two curves differ between them as well.
        sizes = self._growing_noise() or self._unequal_noise()
        return [*self.doubts(), *self._shared_errors(), *sizes]

    def doubts(self) -> list[str]:
        """What speaks against the law, in words."""
        found = []
        p_value = self.autocorrelation_p_value
        if p_value is not None and p_value < SIGNIFICANCE:
            values = ", ".join(
                f"{name} {rho:.2f}" for name, rho in self.autocorrelation.items() if rho is not None
            )
            found.append(
                f"the residuals are autocorrelated (lag 1: {values}; {chance(p_value)}): the law "
                "does not follow the curves closely, and the intervals are too narrow by a factor "
                f"of about {self.inflation:.1f}"
            )
        p_value = self.chi_squared_p_value
        if p_value is not None and p_value < SIGNIFICANCE:
            found.append(
                f"the residuals exceed the standard errors given (reduced chi-squared "
                f"{self.reduced_chi_squared:.2f}, {chance(p_value)}): the law or the standard "
                "errors are wrong, and the intervals are too narrow"
            )
        return found

    def _shared_errors(self) -> list[str]:
        p_value = self.chi_squared_p_value
        if p_value is None or 1.0 - p_value >= SIGNIFICANCE:
            return []
        return [
            "the residuals are smaller than their standard errors (reduced chi-squared "
            f"{self.reduced_chi_squared:.2g}, {chance(1.0 - p_value)}): the rows share a "
            "part of their errors, as rows measured on the same prompts do, or the errors are too "
            "large; rates, ratios and limits on these prompts are known better than the intervals "
            f"say ({_PER_SERIES}), and limits on other prompts less well"
        ]

    def _growing_noise(self) -> list[str]:
        p_value, correlated = self.growth_p_value, self.autocorrelation_p_value
        if p_value is None or p_value >= SIGNIFICANCE:
            return []
        if correlated is not None and correlated < SIGNIFICANCE:  # a misfit rather than noise
            return []
        return [
            f"the residuals grow with the curve (score test, {chance(p_value)}): the fit assumes "
            "errors of one size, so that intervals of rates and ratios are too narrow, and noise "
            "may look like a change along the run or of the ratio; take errors in proportion to "
            f"the curve ({_RELATIVE})"
        ]

    def _unequal_noise(self) -> list[str]:
        p_value = self.noise_ratio_p_value
        if p_value is None or p_value >= SIGNIFICANCE:
            return []
        return [
            f"the verifier's residuals are {self.noise_ratio:.2g} times as large as the "
            f"solver's (F test, {chance(p_value)}): the fit assumes one scale for both, so "
            "the intervals of the noisier series are too narrow and those of the other too "
            f"wide; give each series its own ({_PER_SERIES})"
        ]

    def to_dict(self) -> dict[str, Any]:
        """As JSON-like values."""
        return dataclasses.asdict(self)


def r_squared(
    measured: Float[np.ndarray, " T"], fitted: Float[np.ndarray, " T"], size: float
) -> float | None:
    """The unweighted fraction of the variance explained.

    `None` for a failed fit, and for a series that does not vary beyond the round-off of the numbers
    it was computed from, which are as large as `size`.
    """
    total = float(((measured - measured.mean()) ** 2).sum())
    if math.sqrt(total / len(measured)) <= _ROUND_OFFS * np.finfo(np.float64).eps * size:
        return None
    return finite_or_none(1.0 - float(((measured - fitted) ** 2).sum()) / total)


def _lag_one(residuals: Float[np.ndarray, " T"], least: float) -> float | None:
    power = float((residuals**2).sum())
    if not math.isfinite(power) or len(residuals) < 4 or _is_round_off(residuals, least):
        return None
    return lag_one(residuals)


def _is_round_off(residuals: Float[np.ndarray, " T"], least: float = _ROUND_OFF) -> bool:
    """Whether the residuals are at the round-off of the minimiser, with no scatter to judge."""
    return not float(np.sqrt(np.mean(residuals**2))) > least


def _noise_ratio(
    solver: Float[np.ndarray, " T"], verifier: Float[np.ndarray, " T"]
) -> float | None:
    """`None` with too few rows, or if a curve passes through all of its rows."""
    if len(solver) < _MIN_ROWS or _is_round_off(solver) or _is_round_off(verifier):
        return None
    of_solver, of_verifier = (float(np.sqrt(np.mean(rows**2))) for rows in (solver, verifier))
    return finite_or_none(of_verifier / of_solver)


def _growth(
    residuals: dict[str, Float[np.ndarray, " T"]], levels: dict[str, Float[np.ndarray, " T"]]
) -> float | None:
    """`None` with too few rows, or if a curve passes through all of its rows."""
    if any(len(rows) < _MIN_ROWS or _is_round_off(rows) for rows in residuals.values()):
        return None
    return growth_with_level(
        np.concatenate([*residuals.values()]),
        np.concatenate([levels[name] for name in residuals]),
    )


def _variance_p_value(ratio: float, dof: float) -> float:
    """The p-value of a ratio this far from one between variances of equal scale, each of `dof`."""
    return float(min(1.0, 2.0 * fdtrc(dof, dof, max(ratio, 1.0 / ratio))))


def _ljung_box_p_value(rho: float, size: int) -> float:
    """The p-value of a lag-1 autocorrelation this large among independent values."""
    statistic = size * (size + 2) / (size - 1) * rho**2
    return math.erfc(math.sqrt(statistic / 2))
