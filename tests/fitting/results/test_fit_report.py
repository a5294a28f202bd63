"""The report of a fit as text: numbers that can be told apart, in tables of 80 columns."""

from pathlib import Path

import pytest

from jaxgap.fitting import LinearLaw, fit
from jaxgap.fitting.results.estimate import Estimate
from jaxgap.fitting.results.fit_report import digits_of, interval, number
from jaxgap.trajectory import read_csv

SEEDS = Path(__file__).parents[3] / "experiments" / "results" / "seeds"


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


def test_the_tables_of_a_run_with_every_test_fit_a_terminal():
    lines = fit(LinearLaw(), read_csv(SEEDS / "demo_seed0.csv")).report().splitlines()
    (first,) = (index for index, line in enumerate(lines) if line.startswith("  constant ratio"))
    tests = lines[first - 1 : first + 5]
    assert "one regime" in tests[2]
    assert all(line.startswith("  ") and len(line) <= 80 for line in tests)
