"""Deterministic points spread evenly over a box, from which the starts of a fit are made.

`scipy.stats.qmc` has the same points, but takes longer to import than everything else here.
"""

import numpy as np
from jaxtyping import Float

_BASES = (2, 3, 5, 7, 11)


def quasi_random(num: int, box: list[tuple[float, float]]) -> Float[np.ndarray, "num box"]:
    """The first points of the Halton sequence in a box of at most five dimensions."""
    bases = _BASES[: len(box)]
    unit = np.array([[_radical_inverse(i, base) for base in bases] for i in range(1, num + 1)])
    low, high = np.array(box).T
    return low + (high - low) * unit


def _radical_inverse(index: int, base: int) -> float:
    """The digits of `index` mirrored at the radix point: a number in (0, 1)."""
    result, digit = 0.0, 1.0
    while index:
        digit /= base
        index, remainder = divmod(index, base)
        result += digit * remainder
    return result
