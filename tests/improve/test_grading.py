"""Grades: whatever a task's grader gives that is true or false, and nothing else."""

import math
from decimal import Decimal
from fractions import Fraction

import jax.numpy as jnp
import numpy as np
import pytest

from jaxgap.errors import InputError
from jaxgap.improve import MajorityVerifier
from jaxgap.improve.grading import assess, grade
from jaxgap.tasks import Addition, Problem


def test_grading_uses_the_task(candidates_of):
    problems = [Problem("1+1=", "2"), Problem("1+2=", "3")]
    assessment = assess(Addition(), problems, candidates_of((("2", "3"), ("3", ""))))
    assert assessment.correct.tolist() == [[True, False], [True, False]]
    assert assessment.answers == [["2", "3"], ["3", ""]]


class Own(Addition):
    """A grader that gives the same grades, whatever it is shown."""

    def __init__(self, grades):
        self.grades = grades

    def grade_all(self, pairs):
        return self.grades


@pytest.fixture
def graded(candidates_of):
    """What is made of these grades of three candidates of one prompt."""
    candidates = candidates_of((("2", "3", ""),))
    return lambda grades: grade(Own(grades), [Problem("1+1=", "2")], candidates)


@pytest.mark.parametrize("true", [True, np.True_, 1, 1.0, np.int8(1), jnp.float32(1), np.array(1)])
@pytest.mark.parametrize("false", [False, np.False_, 0, np.float32(0), None])
def test_grades_are_true_or_false(graded, true, false):
    for kind in (list, tuple, np.array, iter):
        assert graded(kind([true, false, true])).tolist() == [[True, False, True]]


@pytest.mark.parametrize(
    "part",
    [
        *(0.25, 2, -1, "False", "", b"no", math.nan, np.float32(0.5), jnp.float32(0.5)),
        *(np.array(0.5), np.array([0, 1]), Fraction(1, 2), Decimal("0.5"), [], object()),
    ],
)
def test_part_of_a_point_is_no_grade(graded, part):
    with pytest.raises(InputError, match=r"Own.grade \(or grade_all\) must give True or False"):
        graded([True, part, False])


def test_grades_that_are_no_list_are_refused(graded):
    with pytest.raises(InputError, match=r"one grade for each completion, got True"):
        graded(True)


@pytest.mark.parametrize("count", [0, 1, 2, 4, 6])
def test_grades_are_as_many_as_completions(graded, count):
    with pytest.raises(InputError, match=f"grade for each completion: it gave {count} for 3"):
        graded([True] * count)


def test_what_the_first_process_found_right_is_right_in_all(monkeypatch, candidates_of):
    """A grader may run out of time in one process alone."""
    monkeypatch.setattr("jaxgap.improve.grading.broadcast_from_first", np.logical_not)
    assessment = assess(Addition(), [Problem("1+1=", "2")], candidates_of((("2", "3"),)))
    assert assessment.correct.tolist() == [[False, True]]


class OwnAnswers(Addition):
    """A task that finds these answers, whatever it is shown."""

    def __init__(self, answers):
        self.answers = answers

    def canonical_answers(self, completions):
        return self.answers


def test_none_is_no_answer(candidates_of):
    task = OwnAnswers([None, "3", ""])
    candidates = candidates_of((("2", "3", ""),))
    assert assess(task, [Problem("1+1=", "2")], candidates).answers == [["", "3", ""]]
    scores = MajorityVerifier(task.canonical_answers)({}, None, candidates, None)
    assert scores.tolist() == [[0, 1 / 3, 0]]


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        (["2"], r"one answer for each of 3 completions, got \['2'\]"),
        (["2"] * 4, "one answer for each of 3 completions"),
        (None, "one answer for each of 3 completions, got None"),
    ],
)
def test_answers_are_one_for_each_completion(candidates_of, answers, message):
    task, candidates = OwnAnswers(answers), candidates_of((("2", "3", ""),))
    with pytest.raises(InputError, match=f"OwnAnswers.canonical_answers must give {message}"):
        assess(task, [Problem("1+1=", "2")], candidates)
    with pytest.raises(InputError, match=f"OwnAnswers.canonical_answers must give {message}"):
        MajorityVerifier(task.canonical_answers)({}, None, candidates, None)


def test_answers_of_other_types_become_texts(candidates_of):
    candidates = candidates_of((("2", "2", ""),))
    assert assess(OwnAnswers([2, "2", (1, 2)]), [Problem("1+1=", "2")], candidates).answers == [
        ["2", "2", "(1, 2)"]
    ]


def test_an_error_in_a_users_generator_is_not_hidden(candidates_of):
    task, candidates = OwnAnswers(len(each) for each in [None]), candidates_of((("2",),))
    with pytest.raises(TypeError, match="NoneType"):
        assess(task, [Problem("1+1=", "2")], candidates)
