"""Percentages are told from fractions by their median."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxgap.trajectory.percent import looks_like_percent


@given(st.lists(st.floats(1.5, 100), min_size=3), st.floats(0, 1))
def test_most_values_decide(values, fraction):
    assert looks_like_percent([*values, fraction])
    assert not looks_like_percent([value / 100 for value in values])
    assert not looks_like_percent([fraction, 0.5, 0.7, values[0]])


@pytest.mark.parametrize("outside", [-0.5, 100.5])
def test_values_that_are_no_percentages_are_none(outside):
    assert not looks_like_percent([40.0, 50.0, outside])
