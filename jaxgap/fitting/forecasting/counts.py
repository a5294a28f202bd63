r"""Logarithms of error rates that were counted, however few the errors or the right answers.

The logarithm of one row's rate is undefined without errors, and far from normal with few; its
variance is as uncertain where few answers are right, and the inverse of an estimate from the same
count favours the rows that erred to one side. Both are therefore expanded about a rate to which the
row's neighbours contribute, as in iteratively reweighted least squares for a binomial response
(McCullagh and Nelder 1989, section 2.5):

$$z = \log\lambda + \frac{p - \bar p}{\lambda}, \qquad
\operatorname{var} z = \frac{1 - \lambda}{n \lambda},$$

with the row's own rate $p$ over $n$ items, and $\bar p$ the rate by the $N$ items of the rows about
it, which follows their trend (:mod:`jaxgap.fitting.forecasting.local_rates`). Half an item takes
away the bias of the logarithm (Haldane 1955): $\lambda = (N \bar p + 1/2) / (N + 1/2)$. There are
as many rows on either side as give ten errors and ten right answers, a hundred for the variance, as
long as the row's own count agrees with them. A row that has ten of both stands alone, so that a
steep curve is not flattened.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from jaxgap.fitting.forecasting.local_rates import local_rates

Series = Float[np.ndarray, " rows"]

# The errors, and the right answers, to expand about.
_ENOUGH = 10.0
_ENOUGH_FOR_VARIANCE = 100.0


class LogRates(NamedTuple):
    """Error rates on the logarithmic scale.

    - `values`: their logarithms.
    - `rates`: above 0 and below 1; what the variances follow from.
    """

    values: Series
    rates: Series


def log_rates(errors: Series, num_items: Series) -> LogRates:
    """Logarithms of measured error rates, each over its own number of items.

    >>> alone = log_rates(np.array([0.5, 0.25]), np.array([100.0, 100.0]))
    >>> bool(np.allclose(np.exp(alone.values), [50.5 / 100.5, 25.5 / 100.5]))
    True
    """
    wrong = errors * num_items
    reach, total = _neighbours(wrong, num_items, _ENOUGH)
    about = local_rates(wrong, num_items, reach, added=(0.5, 0.0))
    mean = (about * (total + 0.5) - 0.5) / total
    values = np.log(about) + (errors - mean) / about
    reach, _ = _neighbours(wrong, num_items, _ENOUGH_FOR_VARIANCE)
    return LogRates(values, local_rates(wrong, num_items, reach, added=(0.5, 0.5)))


def _neighbours(wrong: Series, items: Series, enough: float) -> tuple[Series, Series]:
    """How many rows on either side of each give `enough` of both answers, and all their items."""
    num_rows = len(wrong)
    all_wrong, all_items = wrong.copy(), items.copy()
    growing, reached = np.ones(num_rows, bool), np.zeros(num_rows)
    for reach in range(1, num_rows):
        growing &= np.minimum(all_wrong, all_items - all_wrong) < enough - 1e-6
        if not growing.any():
            break
        wider_wrong = all_wrong + _shifted(wrong, reach)
        wider_items = all_items + _shifted(items, reach)
        rate = (wider_wrong + 0.5) / (wider_items + 1)
        spread = np.sqrt(items * rate * (1 - rate))
        # Two standard deviations and one item: a rare single error contradicts nothing.
        growing &= np.abs(wrong - items * rate) <= 2 * spread + 1
        all_wrong = np.where(growing, wider_wrong, all_wrong)
        all_items = np.where(growing, wider_items, all_items)
        reached[growing] = reach
    return reached, all_items


def _shifted(values: Series, reach: int) -> Series:
    """For each row, the sum over the two rows `reach` away from it, as far as there are any."""
    found = np.zeros_like(values)
    found[reach:] += values[:-reach]
    found[:-reach] += values[reach:]
    return found
