"""Accuracies in percent, distinguished from fractions by how large most of them are."""

import numpy as np
from numpy.typing import ArrayLike


def looks_like_percent(accuracies: ArrayLike) -> bool:
    """Whether accuracies, shape `(T,)`, are percentages: all in [0, 100], their median above 1.

    A single value above 1 among fractions is an error, not a reason to divide the others.

    >>> looks_like_percent([0.5, 40.0, 55.0]), looks_like_percent([0.5, 0.6, 1.2])
    (True, False)
    """
    values = np.asarray(accuracies)
    return bool(values.size and values.min() >= 0 and values.max() <= 100 and np.median(values) > 1)
