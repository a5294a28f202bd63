"""The checkpoint of the highest accuracy is kept."""

from types import SimpleNamespace

import pytest

from jaxgap.improve.runs.checkpoint_retention import BestAccuracy


@pytest.mark.parametrize(
    ("accuracies", "kept"),
    [
        ((0.1, 0.9, 0.2), 1),
        # Of equals the newest: it is as good, and the run has come further.
        ((0.9, 0.9, 0.1), 1),
        ((0.5, 0.5, 0.5), 2),
    ],
)
def test_the_best_is_kept_and_of_equals_the_newest(accuracies, kept):
    best = BestAccuracy()
    best.remember([{"t": float(t), "solver_accuracy": each} for t, each in enumerate(accuracies)])
    steps = [SimpleNamespace(step=t) for t in range(3)]
    assert best.should_preserve(steps, context=None) == [t == kept for t in range(3)]
