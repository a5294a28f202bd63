"""Work in pieces of one shape, so that each compiled program is used for all of it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np


def equal_chunks(count: int, size: int) -> Iterator[np.ndarray]:
    """Index arrays of `size` that cover `range(count)`; the last one wraps round to its start.

    >>> [chunk.tolist() for chunk in equal_chunks(5, 3)]
    [[0, 1, 2], [3, 4, 0]]
    """
    for start in range(0, count, size):
        yield np.arange(start, start + size) % count
