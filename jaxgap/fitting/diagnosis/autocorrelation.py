r"""The lag-1 autocorrelation of a fit's residuals.

Its estimate is biased low, by $(1 + 4\rho)/n$ on average if a mean was subtracted from the rows
(Kendall, Biometrika 41, 1954), and by about another $1/n$ if a straight line was.
"""

import numpy as np
from jaxtyping import Float

# A cap: with an autocorrelation of one there would be no noise to judge by.
_MOST = 0.95


def lag_one(residuals: Float[np.ndarray, "T ..."]) -> float:
    """The lag-1 autocorrelation of one series, or of several together.

    **Example:**

    >>> lag_one(np.array([1.0, 1.0, -1.0, -1.0]))
    0.25
    """
    power = float((residuals**2).sum())
    return float((residuals[1:] * residuals[:-1]).sum()) / max(power, 1e-300)


def noise_memory(residuals: Float[np.ndarray, "T ..."], *, of_line: bool = False) -> float:
    """:func:`lag_one`, corrected for its bias, and never negative.

    `of_line`: whether a straight line was subtracted from the rows, not only their mean.

    **Example:**

    >>> noise_memory(np.array([1.0, 1.0, -1.0, -1.0]))
    0.75
    """
    rho = lag_one(residuals)
    return float(np.clip(rho + (1 + of_line + 4 * rho) / residuals.size, 0.0, _MOST))
