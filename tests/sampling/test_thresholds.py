"""Filters keep exactly the tokens that a sorted reference keeps."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxgap.sampling import SamplingParams
from jaxgap.sampling.thresholds import smallest_kept

_smallest_kept = jax.jit(smallest_kept)


def _kept(logits, sampling_params):
    shifted = logits - logits.max(-1, keepdims=True)
    weights = jnp.exp(shifted / np.float32(sampling_params.temperature))
    return np.asarray(weights >= _smallest_kept(weights, sampling_params.traced())[:, None])


@pytest.mark.parametrize(
    "sampling_params",
    [
        SamplingParams(),
        SamplingParams(top_k=1),
        SamplingParams(top_k=7),
        SamplingParams(top_k=1000),
        SamplingParams(0.7, top_p=0.9),
        SamplingParams(top_p=0.001),
        SamplingParams(min_p=0.05),
        SamplingParams(1.3, top_k=40, top_p=0.8, min_p=0.02),
    ],
    ids=str,
)
def test_filters_keep_what_a_sorted_reference_keeps(kept_by_sorting, sampling_params):
    logits = np.random.default_rng(0).normal(size=(16, 300)).astype(np.float32) * 3
    expected = np.stack([kept_by_sorting(row, sampling_params) for row in logits])
    np.testing.assert_array_equal(_kept(logits, sampling_params), expected)


@given(st.integers(1, 30), st.integers(0, 2**32 - 1))
def test_ties_at_the_cut_are_kept_together(kept_by_sorting, top_k, seed):
    logits = np.random.default_rng(seed).integers(-3, 3, size=(4, 300)).astype(np.float32)
    sampling_params = SamplingParams(top_k=top_k)
    expected = np.stack([kept_by_sorting(row, sampling_params) for row in logits])
    np.testing.assert_array_equal(_kept(logits, sampling_params), expected)


@given(
    temperature=st.floats(0.05, 5),
    top_k=st.none() | st.integers(1, 400),
    top_p=st.floats(0.01, 1),
    min_p=st.floats(0, 1),
    seed=st.integers(0, 2**32 - 1),
)
def test_any_filters_keep_what_a_sorted_reference_keeps(
    kept_by_sorting, temperature, top_k, top_p, min_p, seed
):
    sampling_params = SamplingParams(temperature, top_k, top_p, min_p)
    logits = np.random.default_rng(seed).normal(size=(4, 300)).astype(np.float32) * 3
    for row, kept in zip(logits, _kept(logits, sampling_params), strict=True):
        # Cut-offs a little lower and a little higher: float32 sums decide between them.
        most, fewest = (
            kept_by_sorting(
                row,
                SamplingParams(
                    temperature,
                    top_k,
                    min(1, top_p * (1 + slack)),
                    max(0, min(1, min_p * (1 - slack))),
                ),
            )
            for slack in (1e-5, -1e-5)
        )
        assert (fewest <= kept).all()
        assert (kept <= most).all()
        assert kept[row.argmax()]
