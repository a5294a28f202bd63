"""Long series averaged in blocks, so that simulating a test's distribution stays cheap."""

import numpy as np
from jaxtyping import Float

_MAX_BLOCKS = 128


def in_blocks(rows: Float[np.ndarray, "T ..."]) -> Float[np.ndarray, "blocks ..."]:
    """Means of consecutive rows, in at most 128 equal blocks; left-over rows are dropped.

    Independent noise stays independent and a smooth curve smooth, so tests keep their level.

    **Example:**

    >>> in_blocks(np.arange(300.0))[:3].tolist()
    [1.0, 4.0, 7.0]
    """
    size = -(-len(rows) // _MAX_BLOCKS)
    kept = len(rows) // size * size
    return rows[:kept].reshape(kept // size, size, *rows.shape[1:]).mean(axis=1)
