r"""What a forecast sees of one measured series, and how a simulated curve becomes a measurement.

Accuracies are converted to error rates $1 - y$, other series are left unchanged; all must be
positive, since the forecast is of their logarithm. By the delta method the variance of a measured
logarithm is the variance of the measurement over its square:

- for accuracies over $n$ items, $p / (n (1 - p))$;
- where standard errors are given, $(\sigma / y)^2$;
- where neither is known, the same with an unknown $n$ or an unknown relative error, which has a
  prior and is inferred with the rest.

Given standard errors of an uncertainty are extrapolated as they have been: a future measurement of
a curve at $y$ has the error $a y^b$, where $b$ is the slope of $\log \sigma$ against $\log y$ over
the rows, between 0 (a constant error) and 1 (a constant relative error).

Logarithms of counted rates allow for few counts (:mod:`jaxgap.fitting.forecasting.counts`). Where
standard errors are given, $n$ is $p (1 - p) / \sigma^2$, so nothing changes as they vanish. Where
neither is known, only zeros and ones are moved.
"""

import dataclasses

import jax
import numpy as np
from jaxtyping import Float, PRNGKeyArray

from jaxgap.fitting.forecasting.counts import LogRates, log_rates
from jaxgap.fitting.forecasting.shapes import LogNormalPrior
from jaxgap.trajectory import TrajectoryError

Series = Float[np.ndarray, " T"]

# Test sets usually have a few hundred to a few thousand items: 1 / sqrt(n), within a factor 1.6.
_ACCURACY_NOISE = LogNormalPrior(1000**-0.5, 0.5)
# For moving zeros and ones, where the number of items is unknown.
_TYPICAL_NUM_ITEMS = 500
# Relative errors of uncertainties: from a thousandth (a digitised curve) to a third (few prompts).
_UNCERTAINTY_NOISE = LogNormalPrior(0.02, 1.4)
# A cap on the equivalent number of items: the noise is negligible there.
_MOST_ITEMS = 10**12
_KNOWN = LogNormalPrior(1.0, 0.0)


@dataclasses.dataclass(frozen=True)
class Observations:
    """One series on the scale on which it is forecast.

    - `ts`: the times.
    - `values`: logarithms of uncertainties or error rates.
    - `variances`: of the noise on `values`, in units of the squared noise level.
    - `start`: about the first value, but for its noise.
    - `noise_level`: the prior of that level; exactly 1 where the noise is known.
    - `is_accuracy`: whether measurements are accuracies.
    - `relative_noise`: the standard error of a future measurement in units of the noise level,
        relative to `sqrt(p (1 - p))` for accuracies and to `y**noise_power` for uncertainties.
    - `noise_power`: how the given standard errors of uncertainties grow with the value, from 0 to
        1; `None` for other series.
    """

    ts: Series
    values: Series
    variances: Series
    start: float
    noise_level: LogNormalPrior
    is_accuracy: bool
    relative_noise: float
    noise_power: float | None = None

    @classmethod
    def of_accuracies(
        cls, ts: Series, accuracies: Series, num_items: int | None, stderrs: Series | None
    ) -> "Observations":
        """From fractions, with the number of test items or standard errors where known."""
        known = _without_zeros(stderrs) if stderrs is not None and stderrs.any() else None
        all_alike = not np.ptp(accuracies) and accuracies[0] in (0.0, 1.0)
        if num_items is None and known is None and all_alike:
            # Nothing in the rows tells how many items were counted, so the smoothing's number is
            # also that of the noise: a future row is 0 or 1 as often as that allows.
            num_items = _TYPICAL_NUM_ITEMS
        errors = 1 - accuracies
        if known is not None:
            # The row's own error over a pooled rate would favour the rows that erred to one side.
            items = _equivalent_items(errors, known)
            found = log_rates(errors, items)
            relative = float(np.median(items)) ** -0.5
            variances = (1 - found.rates) / (items * found.rates)
            start = float(np.log(found.rates[0]))
            return cls(ts, found.values, variances, start, _KNOWN, True, relative)
        if num_items is not None:
            found = log_rates(errors, np.full(len(errors), float(num_items)))
            relative, level = num_items**-0.5, _KNOWN
        else:
            moved = _without_extremes(errors)
            found = LogRates(np.log(moved), moved)
            relative, level = 1.0, _ACCURACY_NOISE
        variances = relative**2 * (1 - found.rates) / found.rates
        start = float(np.log(found.rates[0]))
        return cls(ts, found.values, variances, start, level, True, relative)

    @classmethod
    def of_positive(
        cls, ts: Series, values: Series, stderrs: Series | None, name: str
    ) -> "Observations":
        """From uncertainties, or anything else that is positive."""
        least = int(values.argmin())
        if values[least] <= 0:
            raise TrajectoryError(
                f"a forecast needs uncertainties above zero, got {values[least]:g} at "
                f"t={ts[least]:g}",
                name,
            )
        logs = np.log(values)
        start = float(logs[0])
        if stderrs is not None and stderrs.any():
            known = _without_zeros(stderrs)
            power = _noise_power(logs, known)
            typical = float(np.exp(np.median(np.log(known) - power * logs)))
            return cls(ts, logs, (known / values) ** 2, start, _KNOWN, False, typical, power)
        return cls(ts, logs, np.ones_like(values), start, _UNCERTAINTY_NOISE, False, 1.0)

    @property
    def stands_still(self) -> bool:
        """Whether all values are the same, but for the rounding of means."""
        return bool(np.ptp(self.values) < 1e-9)

    def of_single_rows(self, size: int) -> "Observations":
        """The same if each row is a mean of `size` rows: a single future row is noisier."""
        return dataclasses.replace(self, relative_noise=self.relative_noise * size**0.5)

    def capability(self, logs: Float[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
        """From the forecast's scale back to accuracies or uncertainties, without noise."""
        return -np.expm1(np.minimum(logs, 0.0)) if self.is_accuracy else np.exp(logs)

    def measure(
        self,
        logs: Float[np.ndarray, "draws times"],
        noise_levels: Float[np.ndarray, " draws"],
        key: PRNGKeyArray,
    ) -> Float[np.ndarray, "draws times"]:
        """Simulated curves as they would be measured, in the series' own terms.

        An accuracy is a count of right answers, over the number of items that gives the stated
        noise: exactly binomial, so one near 1 is measured as 1 as often as it should be.
        """
        noise = self.relative_noise * noise_levels[:, None]
        rng = np.random.default_rng(np.asarray(jax.random.key_data(key)))
        if self.noise_power is not None:
            stderrs = noise * np.exp(self.noise_power * logs)
            return np.maximum(np.exp(logs) + stderrs * rng.standard_normal(logs.shape), 0.0)
        if not self.is_accuracy:
            return np.exp(logs + noise * rng.standard_normal(logs.shape))
        num_items = np.clip(np.round(noise**-2.0), 1, _MOST_ITEMS).astype(np.int64)
        return rng.binomial(num_items, self.capability(logs)) / num_items


def _equivalent_items(errors: Series, stderrs: Series) -> Series:
    """The number of items that gives each standard error.

    At a rate of 0 or 1 it is that at which one item is one standard error.
    """
    return np.maximum(errors * (1 - errors), stderrs) / stderrs**2


def _without_extremes(errors: Series) -> Series:
    """Error rates of an unknown number of items: zeros and ones are moved, and remain extremes."""
    nearest = np.minimum(errors, 1 - errors)
    nearest = nearest[nearest > 0].min(initial=1.0)
    least = min(0.5 / (_TYPICAL_NUM_ITEMS + 1), nearest / 2)
    return np.clip(errors, least, 1 - least)


def _noise_power(logs: Series, stderrs: Series) -> float:
    """The slope of the logarithms of standard errors against those of values, from 0 to 1."""
    deviations = logs - logs.mean()
    if not deviations.any():
        return 1.0
    slope = deviations @ np.log(stderrs) / (deviations @ deviations)
    return float(np.clip(slope, 0.0, 1.0))


def _without_zeros(stderrs: Series) -> Series:
    """Standard errors with zeros raised to the smallest other one, as in a fit."""
    return np.maximum(stderrs, stderrs[stderrs > 0].min())
