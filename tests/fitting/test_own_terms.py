"""Accuracies to error rates and back: nothing is lost, and intervals keep their order."""

from hypothesis import given
from hypothesis import strategies as st

from jaxgap.fitting.own_terms import own_interval, own_terms

# Multiples of 1/64 are exact on both sides of the map.
EXACT = st.integers(-64, 128).map(lambda number: number / 64)


@given(EXACT, st.booleans())
def test_the_way_there_is_the_way_back(value, mirrored):
    assert own_terms(own_terms(value, mirrored), mirrored) == value


@given(EXACT, EXACT, EXACT, st.booleans())
def test_an_interval_holds_the_same_values_in_either_terms(value, one, other, mirrored):
    low, high = min(one, other), max(one, other)
    ends = own_interval(low, high, mirrored)
    assert ends[0] <= ends[1]
    assert (ends[0] <= own_terms(value, mirrored) <= ends[1]) == (low <= value <= high)
