r"""Is a run already beyond the limit that a law has for it?

A law under which a curve only approaches its limit cannot have that limit behind the measurements.
A fit to a long run can: it gives way where a curve goes on slowly, and its interval, which takes
the law to be true, does not say so. So the run's level at its last row is asked of the rows
themselves: the fitted curve there, and a straight line through what the second half of the rows
leave over of it, which knows nothing of the law's limit. The line's standard error is from the
scatter about it, with a first-order autoregression as strong as that scatter shows, and at least
what standard errors given make of it.

The run is beyond the limit where its level is further than the end of the limit's interval by more
than Student's t allows. Both the limit's error and the level's have to be on one side for that by
chance: of runs that follow the law it is said of fewer than one in a hundred.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy.special import stdtrit

from jaxgap.fitting.diagnosis.autocorrelation import noise_memory
from jaxgap.fitting.diagnosis.blocks import in_blocks

_MIN_ROWS = 7
# One-sided, beyond an interval that has a level of its own.
_CONFIDENCE = 0.95
# A curve without noise is known no better than to this part of its range.
_ROUND_OFF = 1e-6


class Level(NamedTuple):
    """Where a run stands at its last row, with its standard error and degrees of freedom."""

    value: float
    stderr: float
    dof: int


def level_at_end(
    measured: Float[np.ndarray, " T"],
    fitted: Float[np.ndarray, " T"],
    errors: Float[np.ndarray, " T"] | None = None,
) -> Level | None:
    """Where the rows of a series say that it stands at the last of them.

    **Arguments:**

    - `measured`, `fitted`: the series and a smooth curve through it, in the order of time.
    - `errors`: standard errors of the measurements, if known.

    **Returns:**

    The :class:`Level`; `None` where there are fewer than seven rows.

    **Example:**

    >>> t = np.arange(20.0)
    >>> noise = 0.01 * np.random.default_rng(0).standard_normal(20)
    >>> level = level_at_end(0.5 + 0.01 * t + noise, np.full(20, 0.6))
    >>> round(level.value, 2), level.dof
    (0.69, 8)
    """
    size = len(measured)
    measured, fitted = in_blocks(measured), in_blocks(fitted)
    num_rows = len(measured)
    if num_rows < _MIN_ROWS:
        return None
    half = -(-num_rows // 2)
    residuals = (measured - fitted)[-half:]
    design = np.stack([np.ones(half), np.linspace(-1.0, 1.0, half)], axis=1)
    fit_line = np.linalg.pinv(design)
    at_end = design[-1] @ fit_line
    scatter = residuals - design @ (fit_line @ residuals)
    lags = np.abs(np.subtract.outer(np.arange(half), np.arange(half)))
    correlations = noise_memory(scatter, of_line=True) ** lags
    variance = scatter @ scatter / (half - 2) * (at_end @ correlations @ at_end)
    if errors is not None:
        given = in_blocks(errors**2)[-half:] / (size // num_rows)
        variance = max(variance, float(at_end**2 @ given))
    stderr = max(float(np.sqrt(variance)), _ROUND_OFF * float(np.ptp(measured)))
    return Level(float(fitted[-1] + at_end @ residuals), stderr, half - 2)


def is_beyond(level: Level, interval: tuple[float, float], from_above: bool) -> bool:
    """Whether a run that approaches a limit from one side has left its interval on the other.

    **Example:**

    >>> is_beyond(Level(0.68, 0.01, 20), (0.61, 0.63), from_above=False)
    True
    >>> is_beyond(Level(0.68, 0.01, 20), (0.61, 0.63), from_above=True)
    False
    """
    low, high = interval
    further = low - level.value if from_above else level.value - high
    return further > float(stdtrit(level.dof, _CONFIDENCE)) * level.stderr
