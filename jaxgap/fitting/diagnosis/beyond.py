r"""Is a run already beyond the limit that a law gives it?

Under a law whose curves only approach their limit, the limit cannot lie behind the measurements. In
a fit to a long run it can: the fit compromises where a curve keeps moving slowly, and its interval,
which assumes the law, does not show it. So the run's level at its last row is estimated from the
rows themselves: the fitted curve there, plus a straight line through the residuals of the second
half of the rows, which does not depend on the law's limit. The line's standard error comes from the
scatter about it, with first-order autoregression as strong as that scatter shows, and is at least
what given standard errors imply.

The run is beyond the limit if its level is past the end of the limit's interval by more than
Student's t allows. By chance this takes errors of both limit and level in the same direction: it
happens in fewer than one in a hundred runs that follow the law.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy.special import stdtrit

from jaxgap.fitting.diagnosis.autocorrelation import noise_memory
from jaxgap.fitting.diagnosis.blocks import in_blocks

_MIN_ROWS = 7
# One-sided, on top of the interval's own level.
_CONFIDENCE = 0.95
# A curve without noise is known at best to this fraction of its range.
_ROUND_OFF = 1e-6


class Level(NamedTuple):
    """The level of a run at its last row, with its standard error and degrees of freedom."""

    value: float
    stderr: float
    dof: int


def level_at_end(
    measured: Float[np.ndarray, " T"],
    fitted: Float[np.ndarray, " T"],
    errors: Float[np.ndarray, " T"] | None = None,
) -> Level | None:
    """The level of a series at its last row, estimated from its rows.

    **Arguments:**

    - `measured`, `fitted`: the series and a smooth curve through it, in time order.
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
