"""Work in pieces of few shapes, so that each compiled program is used for much of it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from jaxtyping import Int

from jaxgap.sharding import even_rows


def chunks_of_groups(
    groups: Int[np.ndarray, " rows"], most_rows: int, most_groups: int
) -> Iterator[Int[np.ndarray, " chunk"]]:
    """Index arrays that cover all rows in their order, each as long as it may be.

    Their lengths are `most_rows` and halves of it, on a mesh rounded up to what it shards evenly:
    the last index is repeated up to the least of them that suffices.

    **Arguments:**

    - `groups`: the group of each row; those of one group are neighbours.
    - `most_rows`: in a chunk, >= 1.
    - `most_groups`: of which a chunk has rows, >= 1.

    >>> groups = np.array([7, 7, 7, 4, 5, 6])
    >>> [chunk.tolist() for chunk in chunks_of_groups(groups, most_rows=4, most_groups=2)]
    [[0, 1, 2, 3], [4, 5]]
    """
    most_rows = even_rows(most_rows)
    places = np.cumsum(np.diff(groups, prepend=groups[:1]) != 0)
    start = 0
    while start < len(groups):
        end = int(np.searchsorted(places, places[start] + most_groups))
        end = min(end, start + most_rows)
        filled = np.arange(start, start + _halved(most_rows, end - start))
        yield np.minimum(filled, end - 1)
        start = end


def _halved(most: int, count: int) -> int:
    """The least of `most` and its halves that holds `count` rows."""
    half = even_rows(-(-most // 2))
    return _halved(half, count) if count <= half < most else most
