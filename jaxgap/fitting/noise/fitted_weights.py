"""The weights by which a fit's residuals are judged."""

import numpy as np
from jaxtyping import Float

from jaxgap.fitting.curves import Curves
from jaxgap.fitting.noise.abstract_noise import AbstractNoise
from jaxgap.fitting.noise.binomial import Binomial
from jaxgap.fitting.noise.relative_scale import RelativeScale

# Fitted shares are kept this fraction of an item from 0 and 1.
_INSIDE = 0.5
# A fitted curve may come to zero, where relative errors vanish: no closer than this to its start.
_LEAST_LEVEL = 1e-3


def fitted_weights(
    noise: AbstractNoise, curves: Curves, fitted: Float[np.ndarray, "times 2"]
) -> Float[np.ndarray, "times 2"]:
    r"""One over each measurement's standard error under a fit; zero where there is none.

    $$\sqrt{n / (\hat p\,(1 - \hat p))}$$

    for counts, $\hat p$ being the fitted share: only with these is the sum of the squared residuals
    chi-squared. Errors by the observed shares, as weights, favour the rows that err towards 0 or 1.
    Noise in proportion to the curve has weights in inverse proportion, known up to a common scale.
    Other noise has the weights of the curves.

    Source: Pearson's chi-squared; Agresti, *Categorical Data Analysis* (2013), section 1.5.
    """
    weights = np.asarray(curves.weights)
    if isinstance(noise, RelativeScale):
        level = np.asarray(fitted)
        least = _LEAST_LEVEL * np.abs(level).max(axis=0)
        return np.where(weights > 0, 1 / np.maximum(level, np.maximum(least, 1e-300)), 0.0)
    if not isinstance(noise, Binomial):
        return weights
    n = float(curves.num_items)
    share = np.clip(np.asarray(fitted), _INSIDE / n, 1 - _INSIDE / n)
    return np.where(weights > 0, np.sqrt(n / (share * (1 - share))), 0.0)
