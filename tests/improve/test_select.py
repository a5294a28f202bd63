"""Selection: threshold, length-normalised uncertainty, ties, fallbacks, empty completions."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from jaxgap.improve import Candidates
from jaxgap.improve.select import select


def candidates_of(uncertainty, lengths):
    """One prompt's candidates with these total uncertainties and lengths."""
    lengths = np.array([lengths])
    mask = np.arange(max(lengths.max(), 1)) < lengths[..., None]
    share = np.array([uncertainty]) / np.maximum(lengths, 1)
    logprobs = np.where(mask, -share[..., None], 0.0)
    texts = (tuple("1" * length for length in lengths[0]),)
    return Candidates(mask.astype(int), mask, logprobs, np.ones_like(lengths, bool), texts)


@pytest.mark.parametrize(
    ("uncertainty", "lengths", "scores", "index", "fallback"),
    [
        # Lowest per token among the accepted, though not in total, nor over all.
        ([1.0, 3.0, 0.1], [2, 10, 4], [0.5, 0.9, 0.4], 1, False),
        # A score of exactly the threshold is accepted.
        ([1.0, 2.0], [1, 1], [0.5, 0.9], 0, False),
        # Ties go to the first.
        ([2.0, 1.0, 2.0, 1.0], [2, 1, 2, 1], [0.9, 0.9, 0.9, 0.9], 0, False),
        # None accepted: the highest score, whatever its uncertainty.
        ([0.1, 5.0, 0.2], [1, 1, 1], [0.1, 0.3, 0.2], 1, True),
        # None accepted and scores tie: the less uncertain of them.
        ([3.0, 2.0, 1.0], [1, 1, 1], [0.3, 0.3, 0.2], 1, True),
        # A completion without tokens is never preferred, and taken if there is nothing else.
        ([0.0, 4.0], [0, 1], [0.9, 0.6], 1, False),
        ([0.0, 0.0], [0, 0], [0.2, 0.9], 1, False),
        # One candidate.
        ([1.0], [3], [0.0], 0, True),
    ],
)
def test_rules(uncertainty, lengths, scores, index, fallback):
    selected = select(candidates_of(uncertainty, lengths), np.array([scores]), 0.5)
    assert selected.index.tolist() == [index]
    assert selected.fallback.tolist() == [fallback]


@settings(deadline=None)
@given(
    hnp.arrays(np.float64, 5, elements=st.floats(0.01, 50)),
    hnp.arrays(np.int64, 5, elements=st.integers(1, 6)),
    hnp.arrays(np.float64, 5, elements=st.floats(0, 1)),
    st.floats(0, 1),
)
def test_properties(uncertainty, lengths, scores, threshold):
    candidates = candidates_of(uncertainty, lengths)
    selected = select(candidates, scores[None], threshold)
    chosen = selected.index[0]
    eligible = scores >= threshold
    assert selected.fallback[0] == (not eligible.any())
    if not eligible.any():
        eligible = scores == scores.max()
    assert eligible[chosen]
    per_token = candidates.uncertainty_per_token[0]
    assert per_token[chosen] == per_token[eligible].min()


def test_fallbacks_are_logged(caplog):
    with caplog.at_level("INFO", logger="jaxgap.improve"):
        select(candidates_of([1.0], [1]), np.array([[0.1]]), 0.5)
    assert "1 of 1 prompts had no accepted candidate" in caplog.text
