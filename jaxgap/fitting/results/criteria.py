r"""Information criteria: how well a law fits, penalised for its number of parameters.

$$\mathrm{AICc} = -2 \ln L + 2 k + \frac{2 k (k + 1)}{n - k - 1}, \qquad
  \mathrm{BIC} = -2 \ln L + k \ln n,$$

with $L$ the likelihood of all $n$ measurements at the best fit and $k$ the number of free
parameters, including the noise's scale where it is estimated.

Both assume a likelihood that is quadratic about an interior point. That fails where a law reduces
to a simpler one: on the bound q = 1 of the power law, or where two rates of the general linear law
meet and its limit is no longer unique. There a superfluous parameter gains less likelihood than it
is charged for, so the criteria favour the simpler law. Held-out scores do not rely on this.

Sources: Hurvich and Tsai, Biometrika 76 (1989), for AICc; Schwarz, Ann. Stat. 6 (1978), for BIC.
"""

from typing import Any, NamedTuple

import numpy as np

from jaxgap.fitting.curves import Curves
from jaxgap.fitting.noise.abstract_noise import NOISE_FLOOR
from jaxgap.fitting.results.estimate import finite_or_none


class Criteria(NamedTuple):
    """The criteria of one law on one trajectory; lower `aicc` and `bic` are better.

    `aicc` is infinite where there are too few measurements for the law.
    """

    log_likelihood: float
    num_parameters: int
    aicc: float
    bic: float

    @property
    def finite_aicc(self) -> float | None:
        """AICc, or `None` where there are too few measurements for it."""
        return self.aicc if np.isfinite(self.aicc) else None

    def to_dict(self) -> dict[str, Any]:
        """The public JSON form."""
        form = {name: finite_or_none(value) for name, value in self._asdict().items()}
        if form["log_likelihood"] is None:
            return form | {"reason": "the fit failed: it has no likelihood"}
        if form["aicc"] is None:
            return form | {"reason": "aicc: too few measurements for so many parameters"}
        return form


def criteria(log_likelihood: float, num_parameters: int, num_measurements: int) -> Criteria:
    """AICc and BIC from the log-likelihood at the best fit.

    **Example:**

    >>> found = criteria(-10.0, 3, 20)
    >>> round(found.aicc, 3), round(found.bic, 3)
    (27.5, 28.987)
    """
    left = num_measurements - num_parameters - 1
    spent = -2 * log_likelihood + 2 * num_parameters
    correction = 2 * num_parameters * (num_parameters + 1) / left if left > 0 else np.inf
    bic = -2 * log_likelihood + num_parameters * np.log(num_measurements)
    return Criteria(log_likelihood, num_parameters, float(spent + correction), float(bic))


def criteria_of_fit(curves: Curves, cost: float, num_free: int) -> Criteria:
    """The criteria of a fit with `num_free` parameters, from its weighted sum of squares.

    The weights' common scale counts as one more parameter where it is estimated.
    """
    weights = np.asarray(curves.weights)
    count = int(curves.num_measurements)
    log_weights = float(np.log(weights[weights > 0]).sum())
    if curves.noise_known:
        log_likelihood = log_weights - 0.5 * (cost + count * np.log(2 * np.pi))
        return criteria(log_likelihood, num_free, count)
    variance = max(cost / count, NOISE_FLOOR**2)
    log_likelihood = log_weights - 0.5 * count * (np.log(2 * np.pi * variance) + 1)
    return criteria(log_likelihood, num_free + 1, count)
