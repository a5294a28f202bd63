"""Split work into chunks of few distinct shapes, so that few programs are compiled."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from jaxtyping import Int

from jaxgap.sharding import even_rows


def chunks_of_groups(
    groups: Int[np.ndarray, " rows"], most_rows: int, most_groups: int
) -> Iterator[Int[np.ndarray, " chunk"]]:
    """Index arrays that cover all rows in order, each as long as the limits allow.

    Lengths are `most_rows` or repeated halvings of it, on a mesh rounded up to shard evenly: the
    last index is repeated to fill the smallest such length that suffices.

    **Arguments:**

    - `groups`: the group of each row; rows of a group are contiguous.
    - `most_rows`: maximum number of rows in a chunk, >= 1.
    - `most_groups`: maximum number of groups with rows in a chunk, >= 1.

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
    """The smallest of `most` and its repeated halvings that holds `count` rows."""
    half = even_rows(-(-most // 2))
    return _halved(half, count) if count <= half < most else most
