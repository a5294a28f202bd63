"""Rows of tokens split into shared prefixes and each row's own suffix.

A model that judges N candidates of a prompt sees the same question N times. The common prefix of
those rows is read once, and its keys and values serve them all.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Int

from jaxgap.sampling.batch import TokenBatch, pad_left
from jaxgap.sampling.buckets import bucket, row_bucket


class Continuations(NamedTuple):
    """Rows as prefix and suffix.

    **Fields:**

    - `prefixes`: padded on the left; their number is a power of two, on a mesh rounded up to divide
        evenly.
    - `prefix_of`: the index of each row's prefix.
    - `suffixes`: the rest of each row, at least one token, padded on the left.
    """

    prefixes: TokenBatch
    prefix_of: Int[np.ndarray, " rows"]
    suffixes: TokenBatch


def split_prefixes(
    rows: Sequence[list[int]], groups: Sequence[int] | Int[np.ndarray, " rows"], pad_id: int
) -> Continuations:
    """Split off the longest common prefix of each group, leaving every row at least one token.

    **Arguments:**

    - `rows`: token ids, at least one each.
    - `groups`: the group of each row, as a number.
    - `pad_id`: the padding id.

    >>> split = split_prefixes([[5, 6, 7], [5, 6, 8, 9], [4]], [0, 0, 1], pad_id=0)
    >>> split.prefixes.mask.sum(1).tolist(), split.prefix_of.tolist()
    ([2, 0], [0, 0, 1])
    >>> split.suffixes.mask.sum(1).tolist()
    [1, 2, 1]
    """
    members: dict[int, list[int]] = {}
    for row, group in enumerate(groups):
        members.setdefault(int(group), []).append(row)
    prefixes: list[list[int]] = []
    suffixes: list[list[int]] = [[] for _ in rows]
    prefix_of = np.zeros(len(rows), np.int32)
    for index, alike in enumerate(members.values()):
        shared = _common_length([rows[row] for row in alike])
        prefixes.append(rows[alike[0]][:shared])
        for row in alike:
            prefix_of[row], suffixes[row] = index, rows[row][shared:]
    prefixes += prefixes[-1:] * (row_bucket(len(prefixes)) - len(prefixes))
    return Continuations(_padded(prefixes, pad_id), prefix_of, _padded(suffixes, pad_id))


def _padded(rows: Sequence[list[int]], pad_id: int) -> TokenBatch:
    return pad_left(rows, bucket(max(map(len, rows))), pad_id)


def _common_length(rows: Sequence[list[int]]) -> int:
    """The length of the common prefix, leaving at least one token to each row."""
    most = min(map(len, rows)) - 1
    # The lexicographically first and last rows differ at least as early as any two rows.
    pairs = zip(min(rows), max(rows), strict=False)
    return next(i for i, (one, other) in enumerate(pairs) if one != other or i == most)
