"""Percentiles of samples against NumPy's, and their order."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxgap.errors import InputError
from jaxgap.fitting.draws.samples import percentiles


@given(st.floats(0.01, 0.99), st.integers(1, 300))
def test_as_many_samples_lie_below_as_above(level, seed):
    values = np.random.default_rng(seed).standard_normal(501)
    low, high = percentiles({"rate": values}, level)["rate"]
    assert abs((values < low).sum() - (values > high).sum()) <= 1
    inside = ((values >= low) & (values <= high)).mean()
    assert inside == pytest.approx(level, abs=2 / 501)


@pytest.mark.parametrize("level", [0.0, 1.0, -0.5, float("nan")])
def test_levels_that_are_none_are_refused(level):
    with pytest.raises(InputError, match="level must lie between 0 and 1"):
        percentiles({"rate": np.zeros(3)}, level)
