"""Scores: one a candidate, from 0 to 1, whatever type a verifier gives them in."""

import ml_dtypes
import numpy as np
import pytest

from jaxgap.errors import InputError
from jaxgap.improve.verify import verify

KEY, PROMPTS = None, None


def verified(candidates, values):
    """The scores of a verifier that gives these values."""
    return verify(lambda *parts: values, {}, PROMPTS, candidates, KEY)


@pytest.mark.parametrize("values", [[[True, False]], np.array([[1, 0]]), ((1.0, 0.0),)])
def test_scores_may_be_yes_and_no(candidates_of, values):
    scores = verified(candidates_of([["2", "3"]]), values)
    assert scores.dtype == np.float64
    np.testing.assert_array_equal(scores, [[1.0, 0.0]])


@pytest.mark.parametrize("score", [7.0, -0.5, 1.001])
def test_scores_beyond_their_range_are_refused(candidates_of, score):
    with pytest.raises(ValueError, match=f"scores must be from 0 to 1, got {score:g}"):
        verified(candidates_of([["2", "3"]]), [[0.5, score]])


@pytest.mark.parametrize("score", [1 + 1e-6, -1e-6, np.nan, np.inf])
def test_rounding_is_no_fault_and_what_is_not_finite_is_for_the_loop(candidates_of, score):
    scores = verified(candidates_of([["2", "3"]]), [[0.5, score]])
    np.testing.assert_array_equal(scores, [[0.5, score]])


@pytest.mark.parametrize("values", [0.5, [0.5], [[0.5]], [[0.5] * 3], [[[0.5], [0.5]]]])
def test_scores_are_one_a_candidate(candidates_of, values):
    with pytest.raises(ValueError, match="a verifier must give one score a candidate"):
        verified(candidates_of([["2", "3"]]), values)


def test_the_first_process_decides(candidates_of, monkeypatch):
    """A verifier may run out of time in one process alone."""
    monkeypatch.setattr("jaxgap.improve.verify.broadcast_from_first", lambda scores: 1 - scores)
    np.testing.assert_array_equal(verified(candidates_of([["2", "3"]]), [[0.25, 0]]), [[0.75, 1]])


@pytest.mark.parametrize(
    "values", [None, [[None, None]], [["0.5", "yes"]], [[0.5, [1.0, 0.0]]], np.ones((1, 2)) * 1j]
)
def test_what_are_no_scores_is_refused(candidates_of, values):
    with pytest.raises(
        InputError, match=r"a verifier must give one score a candidate, \(1, 2\), got"
    ):
        verified(candidates_of([["2", "3"]]), values)


def test_python_numbers_in_an_array_of_objects_are_scores(candidates_of):
    scores = verified(candidates_of([["2", "3"]]), np.array([[0.5, True]], dtype=object))
    assert scores.dtype == np.float64
    np.testing.assert_array_equal(scores, [[0.5, 1.0]])


@pytest.mark.parametrize("kind", [np.float16, np.float32, ml_dtypes.bfloat16, np.uint8])
def test_narrow_scores_are_measured_in_float32_at_least(candidates_of, kind):
    scores = verified(candidates_of([["2", "3"]]), np.array([[1, 0]], kind))
    assert scores.dtype in (np.float32, np.float64)
    np.testing.assert_array_equal(scores, [[1.0, 0.0]])


def test_a_masked_score_is_none(candidates_of):
    masked = np.ma.masked_array([[0.95, 0.6]], [[True, False]])
    np.testing.assert_array_equal(verified(candidates_of([["2", "3"]]), masked), [[np.nan, 0.6]])
    unmasked = np.ma.masked_array([[0.95, 0.6]])
    np.testing.assert_array_equal(verified(candidates_of([["2", "3"]]), unmasked), [[0.95, 0.6]])


def test_numbers_of_another_kind_are_named(candidates_of):
    with pytest.raises(InputError, match=r"got timedelta64\[s\] numbers"):
        verified(candidates_of([["2", "3"]]), np.zeros((1, 2), "m8[s]"))
