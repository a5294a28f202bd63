r"""Confidence curves: the intervals of a number at every level at once.

If the profile likelihood of a number has the signed root $\zeta(c)$ at the value $c$ (see
:mod:`jaxgap.fitting.intervals.profile`), then $C(c) = F(\zeta(c))$, with $F$ the distribution
function of Student's t, is the confidence that the number lies below $c$: its $\alpha / 2$ and
$1 - \alpha / 2$ points are the ends of the profile interval, for every $\alpha$. Averaging over
laws needs the whole curve, since an end of the average may be in the middle of one law's curve and
in the tail of another's.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy.special import ndtr, ndtri, stdtr


class ConfidenceCurve(NamedTuple):
    """Confidence that a number lies below each value, given as signed roots at increasing values.

    Beyond its ends a curve is constant: on a side where the data set no bound, confidence never
    reaches 0 or 1.
    """

    values: Float[np.ndarray, " knots"]
    zetas: Float[np.ndarray, " knots"]
    dof: float

    def __call__(self, values: Float[np.ndarray, " m"]) -> Float[np.ndarray, " m"]:
        """The confidence at each of `values`."""
        zeta = _pchip(self.values, self.zetas, values)
        return ndtr(zeta) if np.isinf(self.dof) else stdtr(self.dof, zeta)


def average(
    curves: Sequence[ConfidenceCurve],
    weights: Sequence[float],
    confidences: Float[np.ndarray, " m"],
) -> Float[np.ndarray, " m"]:
    r"""The values at which the average of confidence curves reaches the given confidences.

    $$\sum_m w_m\, C_m(c) = p.$$

    At $p = \alpha / 2$ and $1 - \alpha / 2$ these are the ends of the model-averaged tail-area
    interval.

    **Arguments:**

    - `curves`: one for each law.
    - `weights`: nonnegative, summing to one.
    - `confidences`: each in (0, 1).

    **Returns:**

    The values, infinite where the average never gets that low or high.

    Source: Turek and Fletcher, *Model-averaged Wald confidence intervals*, Comput. Stat. Data
    Anal. 56 (2012), with profiles in place of their Wald intervals, as Fletcher and Turek (2012).
    """
    knots = np.unique(np.concatenate([curve.values for curve in curves]))
    parts = np.linspace(0, 1, 8, endpoint=False)
    grid = np.append((knots[:-1, None] + np.diff(knots)[:, None] * parts).ravel(), knots[-1])
    total = sum(w * curve(grid) for w, curve in zip(weights, curves, strict=True))
    scores = np.maximum.accumulate(ndtri(np.clip(total, 1e-12, 1 - 1e-12)))
    wanted = ndtri(confidences)
    found = np.interp(wanted, scores, grid)
    found = np.where(wanted < scores[0], -np.inf, found)
    return np.where(wanted > scores[-1], np.inf, found)


def _pchip(x, y, at):
    """Monotone cubic interpolation, constant beyond the ends."""
    from scipy.interpolate import PchipInterpolator

    if len(x) < 2:
        return np.zeros_like(at)
    return PchipInterpolator(x, y)(np.clip(at, x[0], x[-1]))
