r"""Has a capability that was gained been lost again?

Under every law in which the gap drives both capabilities, each of them is monotone. The statistic
is the largest fall from an early mean to a later one,

$$D = \max_{i < j} \frac{\bar y_j - \bar y_i}{\hat\sigma \sqrt{2 / k}},$$

over non-overlapping windows of $k$ consecutive rows, with $y$ lower for a more capable model.
$\hat\sigma$ comes from the median size of second differences, which are insensitive to a smooth
trend and robust to a few jumps. It is the largest over several parts of the run, since the noise
may vary along it: that of an accuracy grows as it leaves 0, and a noisy part falls further by
chance than the scale of a quiet one allows. Among all curves that never worsen, the constant one
falls most by chance: the p-value is for simulated independent noise about it, and is conservative
for every other. Autocorrelated noise falls further than independent noise, so where residuals are
autocorrelated the p-value is too small.
"""

import numpy as np
from jaxtyping import Float

from jaxgap.fitting.diagnosis.blocks import in_blocks
from jaxgap.fitting.diagnosis.finding import Finding

_MIN_ROWS = 6
_NUM_SIMULATIONS = 4000
# The median of the absolute value of a standard normal.
_MEDIAN = 0.6745
# The noise's scale is estimated in this many overlapping parts of a third of the rows each.
_NUM_PARTS = 5
_MIN_PART = 4


def no_fall(errors: Float[np.ndarray, " T"], name: str) -> Finding | None:
    """Test that a series does not worsen after its best.

    **Arguments:**

    - `errors`: uncertainties or error rates, shape `(T,)`, in time order.
    - `name`: of the series, for the sentence.

    **Returns:**

    The :class:`Finding`; `None` where there are fewer than six rows or no noise to judge by.

    **Example:**

    >>> noise = 0.02 * np.random.default_rng(0).standard_normal(20)
    >>> t = np.arange(20.0)
    >>> no_fall(np.exp(-t / 4) + noise, "solver").significant
    False
    >>> no_fall(np.exp(-t / 4) + 0.02 * np.maximum(t - 8, 0) + noise, "solver").significant
    True
    """
    errors = in_blocks(errors)
    num_rows = len(errors)
    if num_rows < _MIN_ROWS:
        return None
    statistic = float(_largest_fall(errors[None])[0])
    if not np.isfinite(statistic):
        return None
    noise = np.random.default_rng(0).standard_normal((_NUM_SIMULATIONS, num_rows))
    chance = _largest_fall(noise)
    p_value = (1 + int((chance >= statistic).sum())) / (1 + _NUM_SIMULATIONS)
    return Finding(
        statistic=statistic,
        p_value=p_value,
        method="largest fall, in standard errors",
        says=f"the {name} worsens after its best: a law without losses cannot describe that",
    )


def _largest_fall(series: Float[np.ndarray, "n T"]) -> Float[np.ndarray, " n"]:
    """The statistic of each series; NaN for one without noise."""
    num_rows = series.shape[1]
    size = max(2, num_rows // 6)
    means = np.lib.stride_tricks.sliding_window_view(series, size, axis=1).mean(axis=-1)
    best = np.minimum.accumulate(means[:, :-size], axis=1)
    fall = (means[:, size:] - best).max(axis=1)
    noise = _loudest(np.abs(np.diff(series, 2, axis=1))) / (_MEDIAN * np.sqrt(6))
    with np.errstate(divide="ignore", invalid="ignore"):
        found = fall / (noise * np.sqrt(2 / size))
    return np.where(noise > 1e-12 * np.ptp(series, axis=1), found, np.nan)


def _loudest(turns: Float[np.ndarray, "n m"]) -> Float[np.ndarray, " n"]:
    """The largest median of several parts of each row."""
    num_turns = turns.shape[1]
    size = min(num_turns, max(_MIN_PART, -(-num_turns // 3)))
    starts = np.unique(np.linspace(0, num_turns - size, _NUM_PARTS).round().astype(int))
    medians = [np.median(turns[:, start : start + size], axis=1) for start in starts]
    return np.max(medians, axis=0)
