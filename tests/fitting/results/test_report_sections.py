"""The tables of a report fit a terminal of 80 columns."""

from pathlib import Path

from jaxgap.fitting import LinearLaw, fit
from jaxgap.trajectory import read_csv

SEEDS = Path(__file__).parents[3] / "experiments" / "results" / "seeds"


def test_the_tables_of_a_run_with_every_test_fit_a_terminal():
    lines = fit(LinearLaw(), read_csv(SEEDS / "demo_seed0.csv")).report().splitlines()
    (first,) = (index for index, line in enumerate(lines) if line.startswith("  constant ratio"))
    tests = lines[first - 1 : first + 5]
    assert "one regime" in tests[2]
    assert all(line.startswith("  ") and len(line) <= 80 for line in tests)
