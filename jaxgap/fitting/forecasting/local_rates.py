r"""Rates of counted answers by local logistic regression, in a window of rows about each.

Near row $i$ the counts are binomial with rates $\operatorname{logit} p_j = a + b (j - i) / r$,
where $r$ is the window's reach (local likelihood: Tibshirani and Hastie 1987, J. Am. Stat. Assoc.
82:559). The slope $b$ matters at the ends of a run, whose windows have rows on one side only: a
mean over them would be the rate of earlier, steeper rows. It is penalised as by a normal prior.
"""

import numpy as np
from jaxtyping import Float

Series = Float[np.ndarray, " rows"]

# The prior standard deviation of the change in log odds from a row to the edge of its window.
_SLOPE = 1.5
# Newton's method converges in four to eight steps; the most that one may change the log odds.
_NUM_STEPS = 20
_LONGEST_STEP = 2.0
_LARGEST_LOGIT = 30.0


def local_rates(wrong: Series, items: Series, reach: Series, added: tuple[float, float]) -> Series:
    """The error rate at each row, by the rows up to its `reach` away.

    - `wrong`, `items`: of each row.
    - `added`: wrong and right answers that are added to each window, spread evenly over its items.
    """
    rows = np.arange(len(wrong))
    away = (rows - rows[:, None]) / np.maximum(reach, 1)[:, None]
    inside = np.abs(rows - rows[:, None]) <= reach[:, None]
    added_wrong, added_right = added
    share = inside * items / (inside * items).sum(axis=1)[:, None]
    wrongs = inside * wrong + added_wrong * share
    totals = inside * items + (added_wrong + added_right) * share
    logit = _logit(wrongs.sum(axis=1) / totals.sum(axis=1))
    slope = np.zeros_like(logit)
    for _ in range(_NUM_STEPS):
        rates = _logistic(logit[:, None] + slope[:, None] * away)
        residuals, weights = wrongs - totals * rates, totals * rates * (1 - rates)
        score = residuals.sum(axis=1)
        slope_score = (residuals * away).sum(axis=1) - slope / _SLOPE**2
        level = weights.sum(axis=1)
        mixed = (weights * away).sum(axis=1)
        curvature = (weights * away**2).sum(axis=1) + _SLOPE**-2
        det = level * curvature - mixed**2
        logit += _limited((curvature * score - mixed * slope_score) / det)
        slope += _limited((level * slope_score - mixed * score) / det)
    return _logistic(logit)


def _logit(rates: Series) -> Series:
    with np.errstate(divide="ignore"):
        return np.clip(np.log(rates) - np.log1p(-rates), -_LARGEST_LOGIT, _LARGEST_LOGIT)


def _logistic(logits: Float[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
    return 1 / (1 + np.exp(-np.clip(logits, -_LARGEST_LOGIT, _LARGEST_LOGIT)))


def _limited(step: Series) -> Series:
    return np.clip(step, -_LONGEST_STEP, _LONGEST_STEP)
