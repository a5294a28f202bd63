"""A mean over prompts with its standard error."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class MeanWithError(NamedTuple):
    """A mean over prompts, or an area under a ROC curve, with its standard error.

    **Fields:**

    - `mean`: the mean.
    - `stderr`: the standard deviation over prompts divided by the square root of their number; NaN
        for a single prompt.
    """

    mean: float
    stderr: float

    @classmethod
    def over_prompts(cls, values: np.ndarray) -> MeanWithError:
        """From one value per prompt, or several, which are averaged first.

        >>> MeanWithError.over_prompts(np.array([[1.0, 3.0], [4.0, 4.0]]))
        MeanWithError(mean=3.0, stderr=1.0)
        """
        per_prompt = np.asarray(values, np.float64).reshape(len(values), -1).mean(axis=1)
        count = len(per_prompt)
        spread = per_prompt.std(ddof=1) if count > 1 else np.nan
        return cls(float(per_prompt.mean()), float(spread / np.sqrt(count)))
