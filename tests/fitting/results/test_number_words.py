"""Numbers in words: the ends of an interval can be told apart, and zero has no sign."""

import pytest

from jaxgap.fitting.results.estimate import Estimate
from jaxgap.fitting.results.number_words import digits_of, interval, number


@pytest.mark.parametrize(
    ("low", "high", "shown"),
    [
        (999999.985, 1000000.015, "[999999.98, 1000000.0]"),
        (0.971, 1.001, "[0.9710, 1.001]"),
        # Rounding error is not worth digits.
        (2.0, 2.0 + 1e-8, "[2.000, 2.000]"),
        (1e6, None, "[1.000e+06, open)"),
    ],
)
def test_the_ends_of_an_interval_are_told_apart(low, high, shown):
    estimate = Estimate(low, None, (low, high))
    assert interval(estimate) == shown
    assert number(low, digits_of(estimate)) == shown[1:].partition(",")[0]


def test_zero_has_no_sign():
    assert number(-0.0) == number(0.0) == "0.000"
