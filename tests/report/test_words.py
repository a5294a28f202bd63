"""What is said of a run in words."""

import numpy as np
import pytest

from jaxgap.report.words import accuracy_ends, accuracy_sentence
from jaxgap.trajectory import Trajectory


def run_with(accuracies):
    ts = np.arange(5.0)
    return Trajectory(ts, 2 - 0.2 * ts, extra={"solver_accuracy": np.array(accuracies)})


def test_accuracies_are_told_from_the_first_to_the_last_that_was_measured():
    run = run_with([np.nan, 0.25, 0.5, 0.75, np.nan])
    assert accuracy_ends(run) == (0.25, 0.75)
    assert "from 25.0% to 75.0%" in accuracy_sentence(run)


@pytest.mark.parametrize("accuracies", [[np.nan] * 5, [np.nan, 0.3, np.nan, np.nan, np.nan]])
def test_nothing_is_said_of_accuracies_with_fewer_than_two(accuracies):
    assert accuracy_sentence(run_with(accuracies)) is None
