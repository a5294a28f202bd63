"""Chunks cover all rows in order, in few lengths, with no more rows or groups than allowed."""

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from jaxgap.improve.verifiers.chunks import chunks_of_groups

SIZES = st.integers(1, 12)


@given(sizes=st.lists(SIZES, max_size=20), most_rows=SIZES, most_groups=SIZES)
def test_chunks_of_groups(sizes, most_rows, most_groups):
    groups = np.repeat(np.arange(len(sizes))[::-1], sizes)
    chunks = list(chunks_of_groups(groups, most_rows, most_groups))
    lengths = {most_rows}
    while min(lengths) > 1:
        lengths.add(-(-min(lengths) // 2))
    covered = []
    for chunk in chunks:
        rows = np.unique(chunk)
        covered += rows.tolist()
        assert np.array_equal(chunk[: len(rows)], rows)
        assert len(chunk) in lengths
        assert len(chunk) == 1 or 2 * len(rows) >= len(chunk)
        assert len(set(groups[rows])) <= most_groups
    assert covered == list(range(len(groups)))
    # No two chunks that follow each other would fit into one.
    for one, other in itertools.pairwise(chunks):
        both = np.unique([*one, *other])
        assert len(both) > most_rows or len(set(groups[both])) > most_groups
