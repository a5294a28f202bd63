r"""Scores of a predictive distribution against the outcome: lower is better.

A score is *proper* if its expectation is best when one states the distribution one believes in;
only such scores compare forecasts fairly. Both here are computed from draws.

Reference: Gneiting and Raftery, *Strictly proper scoring rules, prediction, and estimation*, JASA
102 (2007), equations 20 and 21 for the first.
"""

import numpy as np
from jaxtyping import Float


def crps_of_draws(draws: Float[np.ndarray, " draws"], truth: float) -> float:
    r"""The continuous ranked probability score, in the unit of the truth.

    $$\mathrm{CRPS} = \mathbb{E}\,|X - y| - \tfrac12\, \mathbb{E}\,|X - X'|,$$

    which is the absolute error for a forecast that is a single number.

    **Arguments:**

    - `draws`: of the forecast, at least one.
    - `truth`: the measured value.

    **Returns:** the score, 0 or more; lower is better.

    >>> crps_of_draws(np.array([2.0]), 5.0)
    3.0
    """
    ordered = np.sort(draws)
    num = len(ordered)
    # E|X - X'| over all pairs, from the ranks.
    ranks = 2 * np.arange(1, num + 1) - num - 1
    spread = 2 * float(ranks @ ordered) / num**2
    return float(np.abs(ordered - truth).mean()) - 0.5 * spread


def log_score_of_draws(draws: Float[np.ndarray, " draws"], truth: float) -> float:
    """Minus the logarithm of the predictive density at the truth.

    The density is a Gaussian kernel estimate with Silverman's bandwidth for heavy tails (*Density
    Estimation*, 1986, equation 3.31). If no draw is near, the score stays finite and grows with the
    squared distance.

    **Arguments:** as for :func:`crps_of_draws`.

    **Returns:** the score in nats; lower is better.
    """
    low, high = np.quantile(draws, [0.25, 0.75])
    spread = min(float(draws.std()), float(high - low) / 1.34) or float(draws.std())
    # Draws that all agree get the smallest width that floats can resolve.
    bandwidth = 0.9 * spread * len(draws) ** -0.2 or np.finfo(float).eps * max(abs(truth), 1.0)
    exponents = -0.5 * ((draws - truth) / bandwidth) ** 2
    largest = exponents.max()
    log_sum = largest + np.log(np.exp(exponents - largest).mean())
    return float(-log_sum + np.log(bandwidth * np.sqrt(2 * np.pi)))
