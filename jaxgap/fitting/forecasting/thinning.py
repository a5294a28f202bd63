"""Long logs: a forecast uses at most a few hundred rows, each the mean of a block of measured ones.

Every draw is weighted by every row, so memory and time grow with both. Block means show the trend
of a run as well as its rows do.
"""

import numpy as np
from jaxtyping import Float

from jaxgap.trajectory import Trajectory

MAX_ROWS = 256


def rows_a_block(num_rows: int) -> int:
    """How many rows are averaged into one.

    >>> rows_a_block(100), rows_a_block(1000)
    (1, 4)
    """
    return -(-num_rows // MAX_ROWS)


def thinned(run: Trajectory) -> Trajectory:
    """The means of consecutive rows, with their standard errors; a short run unchanged.

    Rows are assumed to have independent noise, so a mean of `m` accuracies over `n` items each is
    an accuracy over `m n` items; one number holds for all blocks, although the
    last may have a row less.
    """
    size = rows_a_block(run.num_rows)
    if size == 1:
        return run
    num_blocks = -(-run.num_rows // size)
    # Where they cannot all be equal, the last ones have a row less.
    sizes = np.array([len(block) for block in np.array_split(run.ts, num_blocks)])
    means = {
        name: None if values is None else _block_means(values, num_blocks)
        for name in ("ts", "solver", "verifier")
        for values in [getattr(run, name)]
    }
    errors = {
        name: None if values is None else np.sqrt(_block_means(values**2, num_blocks) / sizes)
        for name in ("solver_se", "verifier_se")
        for values in [getattr(run, name)]
    }
    num_items = None if run.num_items is None else run.num_items * size
    return run.replace(**means, **errors, num_items=num_items, extra={})


def _block_means(
    values: Float[np.ndarray, " rows"], num_blocks: int
) -> Float[np.ndarray, " blocks"]:
    return np.array([block.mean() for block in np.array_split(values, num_blocks)])
