"""Rows split after common prefixes are the same rows."""

from hypothesis import given
from hypothesis import strategies as st

from jaxgap.sampling import split_prefixes

PAD = 0  # also a token of the rows


def _real(batch):
    return [tokens[mask].tolist() for tokens, mask in zip(batch.tokens, batch.mask, strict=True)]


@given(
    st.lists(
        st.tuples(st.integers(0, 2), st.lists(st.integers(0, 2), min_size=1, max_size=20)),
        min_size=1,
        max_size=9,
    )
)
def test_the_parts_of_a_row_are_the_row(grouped):
    groups, rows = zip(*grouped, strict=True)
    split = split_prefixes(rows, groups, PAD)
    prefixes, suffixes = _real(split.prefixes), _real(split.suffixes)
    for row, prefix, suffix in zip(rows, split.prefix_of, suffixes, strict=True):
        assert suffix
        assert prefixes[prefix] + suffix == row
    # Each group has one prefix, and no longer one would do.
    for group in set(groups):
        alike = [i for i, each in enumerate(groups) if each == group]
        (prefix,) = {split.prefix_of[i] for i in alike}
        longer = len(prefixes[prefix]) + 1
        ends = min(len(rows[i]) for i in alike) <= longer
        assert ends or len({tuple(rows[i][:longer]) for i in alike}) > 1
