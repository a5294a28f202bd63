"""A collapse is reported; a healthy run, and noise, are not."""

import dataclasses
import math

import numpy as np
import pytest

from jaxgap.improve import MeanWithError, RoundMetrics, SplitMetrics
from jaxgap.improve.measures.collapse import signs_of_collapse

HEALTHY = SplitMetrics(
    **{field.name: MeanWithError(0.5, 0.01) for field in dataclasses.fields(SplitMetrics)}
)
HEALTHY = dataclasses.replace(
    HEALTHY,
    solver=MeanWithError(1.5, 0.02),
    distinct_answers=MeanWithError(4.0, 0.1),
    solver_length=MeanWithError(20.0, 0.5),
    truncated=MeanWithError(0.05, 0.01),
    fallback=MeanWithError(0.1, 0.01),
)


def run_of(*changes):
    splits = [dataclasses.replace(HEALTHY, **change) for change in changes]
    return [RoundMetrics(index, split, HEALTHY) for index, split in enumerate(splits)]


def test_a_run_that_gets_better_shows_none():
    better = {"solver_accuracy": MeanWithError(0.7, 0.01), "solver": MeanWithError(0.9, 0.02)}
    assert signs_of_collapse(run_of({}, better)) == {}


@pytest.mark.parametrize(
    ("name", "change", "sentence"),
    [
        (
            "accuracy",
            {"solver_accuracy": MeanWithError(0.4, 0.01)},
            "50.0%, now 40.0%, and confi",
        ),
        ("judging", {"judging_auc": MeanWithError(0.4, 0.01)}, "AUC 0.50 at first, now 0.40"),
        (
            "diversity",
            {"distinct_answers": MeanWithError(1.1, 0.1)},
            "candidates hardly differ any more: 4.0 distinct answers per prompt at first, now 1.1",
        ),
        (
            "diversity",
            {"distinct_answers": MeanWithError(0.3, 0.02)},
            "answers are missing: 4.0 distinct answers per prompt at first, now 0.3",
        ),
        ("length", {"solver_length": MeanWithError(5.0, 0.5)}, "20.0 tokens at first, now 5.0"),
        ("length", {"truncated": MeanWithError(0.8, 0.02)}, "80% of the responses are cut"),
        ("fallback", {"fallback": MeanWithError(0.9, 0.02)}, "for 90% of the prompts no candidate"),
    ],
)
def test_each_sign_is_reported_alone(name, change, sentence):
    found = signs_of_collapse(run_of({}, change))
    assert list(found) == [name]
    assert sentence in found[name]


def test_a_fall_of_accuracy_is_reported_against_the_best_checkpoint_with_confidence():
    best = {"solver_accuracy": MeanWithError(0.8, 0.01)}
    worse = {"solver_accuracy": MeanWithError(0.6, 0.01), "solver": MeanWithError(0.5, 0.02)}
    found = signs_of_collapse(run_of({}, best, worse))
    assert "past its best: 80.0%, now 60.0%, while confidence rises" in found["accuracy"]


@pytest.mark.parametrize("accuracy", [0.0, 1.0])
def test_where_all_are_right_or_all_wrong_judging_has_not_fallen(accuracy):
    judged = {"judging_auc": MeanWithError(0.95, 0.01)}
    nothing_to_tell_apart = {
        "judging_auc": MeanWithError(0.5, 0.0),
        "solver_accuracy": MeanWithError(accuracy, 0.0),
    }
    worse = {"judging_auc": MeanWithError(0.45, 0.01)}
    assert "judging" not in signs_of_collapse(run_of(judged, nothing_to_tell_apart))
    assert "judging" not in signs_of_collapse(run_of(nothing_to_tell_apart, worse))


def test_a_verifier_that_scores_all_alike_has_forgotten_to_judge():
    alike = {"judging_auc": MeanWithError(0.5, 0.0)}
    found = signs_of_collapse(run_of({"judging_auc": MeanWithError(0.85, 0.02)}, alike))
    assert "AUC 0.85 at first, now 0.50" in found["judging"]


def test_noise_is_no_sign():
    rng = np.random.default_rng(0)
    for _ in range(500):
        draws = [
            {"solver_accuracy": MeanWithError(0.5 + 0.01 * rng.normal(), 0.01)} for _ in range(12)
        ]
        assert signs_of_collapse(run_of(*draws)) == {}


@pytest.mark.parametrize(
    "change",
    [
        {"solver_accuracy": MeanWithError(0.0, math.nan)},
        {"judging_auc": MeanWithError(0.1, math.nan)},
        {"distinct_answers": MeanWithError(1.0, math.nan)},
        {"truncated": MeanWithError(1.0, math.nan)},
        {"fallback": MeanWithError(1.0, math.nan)},
    ],
)
def test_a_difference_of_unknown_error_is_no_sign(change):
    assert signs_of_collapse(run_of({}, change)) == {}


@pytest.mark.parametrize(("num_errors", "is_sign"), [(3.9, False), (4.1, True)])
def test_a_fall_is_one_beyond_four_standard_errors_of_the_difference(num_errors, is_sign):
    fallen = MeanWithError(0.5 - num_errors * math.hypot(0.01, 0.01), 0.01)
    found = signs_of_collapse(run_of({}, {"judging_auc": fallen}))
    assert ("judging" in found) == is_sign


@pytest.mark.parametrize(
    ("name", "field", "mean", "is_sign"),
    [
        ("length", "solver_length", 0.51 * 20, False),
        ("length", "solver_length", 0.49 * 20, True),
        ("length", "truncated", 0.49, False),
        ("length", "truncated", 0.51, True),
        ("fallback", "fallback", 0.49, False),
        ("fallback", "fallback", 0.51, True),
        # Of three distinct answers besides the first a tenth is left.
        ("diversity", "distinct_answers", 1.31, False),
        ("diversity", "distinct_answers", 1.29, True),
    ],
)
def test_however_certain_a_change_is_it_has_to_be_large(name, field, mean, is_sign):
    found = signs_of_collapse(run_of({}, {field: MeanWithError(mean, 1e-4)}))
    assert (name in found) == is_sign
