"""The area under the ROC curve, by counting pairs and by the bootstrap."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxgap.improve import MeanWithError
from jaxgap.improve.measures.auc import area_under_curve


def by_pairs(scores, correct):
    differences = scores[correct][:, None] - scores[~correct]
    return np.mean((differences > 0) + 0.5 * (differences == 0))


def drawn(num_prompts, num_candidates, seed, skill=1.0):
    """Scores that know a little, of prompts of different difficulty."""
    rng = np.random.default_rng(seed)
    difficulty = rng.normal(size=(num_prompts, 1))
    correct = rng.normal(size=(num_prompts, num_candidates)) > difficulty
    scores = skill * correct + difficulty + rng.normal(size=correct.shape)
    return np.round(scores, 1), correct


@settings(deadline=None)
@given(num_prompts=st.integers(2, 8), num_candidates=st.integers(1, 5), seed=st.integers(0, 99))
def test_it_is_the_share_of_pairs_in_the_right_order(num_prompts, num_candidates, seed):
    scores, correct = drawn(num_prompts, num_candidates, seed)
    if correct.any() and not correct.all():
        assert area_under_curve(scores, correct).mean == pytest.approx(by_pairs(scores, correct))


def test_its_error_is_that_of_resampled_prompts():
    scores, correct = drawn(200, 8, seed=0)
    rng = np.random.default_rng(1)
    draws = [rng.integers(0, 200, 200) for _ in range(2000)]
    spread = np.std([area_under_curve(scores[rows], correct[rows]).mean for rows in draws])
    assert area_under_curve(scores, correct).stderr == pytest.approx(spread, rel=0.06)


@pytest.mark.parametrize("right", [True, False])
def test_where_nothing_can_be_told_apart_it_is_one_half(right):
    assert area_under_curve(np.eye(3), np.full((3, 3), right)) == (0.5, 0.0)


def test_perfect_scores_have_an_area_of_one():
    _, correct = drawn(20, 4, seed=3)
    assert area_under_curve(correct.astype(float), correct) == (1.0, 0.0)
    assert area_under_curve(1.0 - correct, correct).mean == 0.0


@pytest.mark.parametrize("num_prompts", [2, 5])
def test_where_all_wrong_answers_score_alike_it_has_the_error_of_a_mean_over_prompts(num_prompts):
    right = np.arange(num_prompts) % 2.0
    scores = np.stack([right, np.full(num_prompts, 0.5)], axis=1)
    correct = np.tile([True, False], (num_prompts, 1))
    expected = MeanWithError.over_prompts(right)
    np.testing.assert_allclose(area_under_curve(scores, correct), expected)


def test_right_and_wrong_may_change_places_with_the_order_of_scores():
    """Here one answer in five is right: each group counts by its own size."""
    rng = np.random.default_rng(0)
    correct = rng.random((12, 4)) < 0.2
    scores = np.round(correct + rng.normal(size=correct.shape), 1)
    expected = area_under_curve(scores, correct)
    np.testing.assert_allclose(area_under_curve(-scores, ~correct), expected)


@pytest.mark.parametrize("right", [True, False])
def test_of_one_prompt_that_is_all_right_or_all_wrong_no_error_is_known(right):
    area = area_under_curve(np.eye(1, 3), np.full((1, 3), right))
    assert (area.mean, math.isnan(area.stderr)) == (0.5, True)
