"""Rows split after common prefixes are the same rows, and give the same logits."""

import jax
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxgap.sampling import continued_logits, split_prefixes

PAD = 0  # also a token of the rows


def _real(batch):
    return [tokens[mask].tolist() for tokens, mask in zip(batch.tokens, batch.mask, strict=True)]


@settings(deadline=None)
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


def test_logits_are_the_full_forwards(tiny_model, tiny_params):
    rng = np.random.default_rng(0)
    prefixes = [rng.integers(0, 12, size).tolist() for size in (11, 4, 0)]
    groups = [0, 1, 0, 2, 0, 1]
    rows = [
        prefixes[group] + rng.integers(0, 12, 1 + 2 * i).tolist() for i, group in enumerate(groups)
    ]
    apply = jax.jit(tiny_model.apply)
    with jax.default_matmul_precision("highest"):
        split = split_prefixes(rows, groups, PAD)
        logits = continued_logits(tiny_model, tiny_params, *split)
        for row, found in zip(rows, logits, strict=True):
            tokens = np.array([row])
            expected, _ = apply(tiny_params, tokens, np.ones_like(tokens, bool))
            np.testing.assert_allclose(found, expected[0, -1], atol=1e-4)
