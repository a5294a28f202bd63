"""Points spread evenly over a box, the same every time: where the starts of a fit come from.

SciPy has the same points in `scipy.stats.qmc`, which takes longer to import than all else here.
"""

import numpy as np
from jaxtyping import Float

_BASES = (2, 3, 5, 7, 11)


def quasi_random(num: int, box: list[tuple[float, float]]) -> Float[np.ndarray, "num box"]:
    """The first points of Halton's sequence in a box of at most five dimensions."""
    bases = _BASES[: len(box)]
    unit = np.array([[_radical_inverse(i, base) for base in bases] for i in range(1, num + 1)])
    low, high = np.array(box).T
    return low + (high - low) * unit


def _radical_inverse(index: int, base: int) -> float:
    """The digits of `index` mirrored at the point: a number in (0, 1)."""
    result, digit = 0.0, 1.0
    while index:
        digit /= base
        index, remainder = divmod(index, base)
        result += digit * remainder
    return result
