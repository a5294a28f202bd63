r"""Do the residuals grow with the curve, where the fit takes its errors to be of one size?

Errors of an uncertainty are often in proportion to it. A fit with one scale then trusts the loud
rows of the start too much: its intervals of rates and ratios are too narrow, and noise looks like a
change along the run. If $\sigma_i \propto \hat U_i^\theta$, the score at $\theta = 0$ is

$$S = \frac{\sum_i (z_i - \bar z)(e_i^2 / \hat\sigma^2 - 1)}{\sqrt{2 \sum_i (z_i - \bar z)^2}},
\qquad z_i = \log \hat U_i, \quad \hat\sigma^2 = \frac{1}{n} \sum_i e_i^2,$$

asymptotically a standard normal.

Source: Cook and Weisberg (1983), "Diagnostics for heteroscedasticity in regression", Biometrika 70.
"""

import numpy as np
from jaxtyping import Float


def growth_with_level(
    residuals: Float[np.ndarray, " n"], levels: Float[np.ndarray, " n"]
) -> float | None:
    """The score, positive if residuals are larger where the curve is higher.

    **Arguments:**

    - `residuals`: of all series, with equal weights.
    - `levels`: the fitted curves there, above zero.

    **Returns:** `None` if the curves are level, or there is nothing to judge by.

    **Example:**

    >>> levels, signs = np.linspace(3.0, 1.0, 20), np.resize([1.0, -1.0], 20)
    >>> round(growth_with_level(0.1 * signs, levels), 2)
    0.0
    >>> growth_with_level(0.1 * levels**2 * signs, levels) > 2
    True
    """
    squares = residuals**2
    mean = float(squares.mean())
    if not (np.isfinite(mean) and mean > 0 and (levels > 0).all()):
        return None
    away = np.log(levels) - np.log(levels).mean()
    spread = float(away @ away)
    if not spread > 0:
        return None
    return float(away @ (squares / mean - 1)) / float(np.sqrt(2 * spread))
