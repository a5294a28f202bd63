"""How well scores separate right answers from wrong ones: the area under the ROC curve.

The area is the probability that a random right answer scores higher than a random wrong one, ties
counting half. Candidates of one prompt are not independent, so the standard error treats prompts as
the sampling units.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float
from scipy.stats import rankdata

from jaxgap.improve.measures.mean_with_error import MeanWithError


def area_under_curve(
    scores: Float[np.ndarray, "prompts candidates"],
    correct: Bool[np.ndarray, "prompts candidates"],
) -> MeanWithError:
    r"""The area under the ROC curve, with a standard error over prompts.

    $$\mathrm{AUC} = P(s_{\text{right}} > s_{\text{wrong}})
      + \tfrac12 P(s_{\text{right}} = s_{\text{wrong}}).$$

    **Arguments:**

    - `scores`: higher means more likely right.
    - `correct`: which candidates are right.

    **Returns:** the area; 0.5 with error 0 if all candidates are right, or all wrong. With a single
    prompt the error is NaN.

    >>> area_under_curve(np.array([[0.9, 0.1], [0.4, 0.6]]), np.array([[True, False]] * 2)).mean
    0.75

    Source: Obuchowski (1997), Nonparametric analysis of clustered ROC curve data, Biometrics 53.
    """
    right, wrong = scores[correct], scores[~correct]
    if not right.size or not wrong.size:
        return MeanWithError(0.5, 0.0 if len(scores) > 1 else np.nan)
    # For a right answer, the share of wrong ones below it; for a wrong one, of right ones above.
    placement = np.empty(scores.shape)
    placement[correct] = _share_below(right, wrong)
    placement[~correct] = 1 - _share_below(wrong, right)
    area = float(placement[correct].mean())
    count = len(scores)
    if count == 1:
        return MeanWithError(area, np.nan)
    of_right = np.where(correct, placement - area, 0.0).sum(axis=1) / right.size
    of_wrong = np.where(correct, 0.0, placement - area).sum(axis=1) / wrong.size
    variance = count / (count - 1) * np.sum((of_right + of_wrong) ** 2)
    return MeanWithError(area, float(np.sqrt(variance)))


def _share_below(
    values: Float[np.ndarray, " n"], others: Float[np.ndarray, " m"]
) -> Float[np.ndarray, " n"]:
    """The fraction of `others` below each of `values`, ties counting half."""
    together = rankdata(np.concatenate([values, others]))[: len(values)]
    return (together - rankdata(values)) / len(others)
