"""What a checkpoint reports, against the definitions written out."""

import dataclasses
import json
import math
from decimal import Decimal
from fractions import Fraction

import jax.numpy as jnp
import numpy as np
import pytest

from jaxgap.errors import InputError
from jaxgap.improve import Candidates, PromptMean, RoundMetrics, Selected, to_trajectory
from jaxgap.improve.auc import area_under_curve
from jaxgap.improve.measure import Assessment, assess, grade, measure
from jaxgap.tasks import Addition, Problem


@pytest.fixture
def checkpoint():
    """Two prompts with two candidates each, up to three tokens long."""
    mask = np.array([[[1, 1, 1], [1, 1, 0]], [[1, 0, 0], [1, 1, 1]]], bool)
    logprobs = -np.array([[[1.0, 2, 3], [1, 1, 0]], [[4, 0, 0], [1, 1, 2]]])
    finished = np.array([[False, True], [True, True]])
    texts = (("12", "3"), ("", ""))
    candidates = Candidates(mask.astype(int), mask, logprobs, finished, texts)
    scores = np.array([[0.9, 0.2], [0.6, 0.1]])
    selected = Selected(np.array([1, 0]), np.array([False, True]))
    correct = np.array([[False, True], [False, False]])
    return measure(candidates, scores, selected, Assessment(correct, (("12", "3"), ("", ""))))


def test_uncertainties_are_totals_in_nats(checkpoint):
    assert checkpoint.solver == PromptMean(4.0, 0.0)
    assert checkpoint.verifier == PromptMean(3.0, 1.0)
    assert checkpoint.solver_per_token.mean == pytest.approx(np.mean([2, 1, 4, 4 / 3]))
    assert checkpoint.verifier_per_token.mean == np.mean([1, 4])
    assert checkpoint.solver_length.mean == 2.25
    assert checkpoint.verifier_length.mean == 1.5
    # 12 and 6 nats over 3 and 2 tokens for the first prompt, whose second candidate is selected.
    assert checkpoint.gap == PromptMean(1.0, 1.0)
    per_token = np.array([(2 + 1) / 2 - 1, (4 + 4 / 3) / 2 - 4])
    assert checkpoint.gap_per_token.mean == pytest.approx(per_token.mean())


def test_accuracies_and_gaps(checkpoint):
    assert checkpoint.solver_accuracy == PromptMean(0.25, 0.25)
    assert checkpoint.verifier_accuracy == PromptMean(0.5, 0.5)
    assert checkpoint.pass_at_k.mean == 0.5
    assert checkpoint.generation_verification_gap == PromptMean(0.25, 0.25)
    assert checkpoint.relative_gap.mean == pytest.approx(0.25 / 0.75)
    # Scores above one half: right only for the second prompt's second candidate's low score.
    assert checkpoint.judging_accuracy.mean == 0.25
    brier = np.mean([0.9**2, (0.2 - 1) ** 2, 0.6**2, 0.1**2])
    assert checkpoint.judging_brier.mean == pytest.approx(brier)
    assert checkpoint.overrating.mean == pytest.approx(np.mean([0.9, 0.2, 0.6, 0.1]) - 0.25)
    # One right candidate, with a score above one of the three wrong ones.
    assert checkpoint.judging_auc.mean == pytest.approx(1 / 3)


def test_counts(checkpoint):
    assert checkpoint.fallback.mean == 0.5
    assert checkpoint.truncated.mean == 0.25
    assert checkpoint.distinct_answers.mean == 1  # two of one prompt, none of the other


def test_a_row_has_every_mean_and_its_error_for_both_splits(checkpoint):
    row = RoundMetrics(5, held_out=checkpoint, train=checkpoint).row()
    assert row["t"] == 5.0
    assert (row["solver"], row["verifier_se"]) == (4.0, 1.0)
    assert (row["train_solver"], row["train_verifier_se"]) == (4.0, 1.0)
    names = [name for name in row if name != "t" and not name.endswith("_se")]
    assert {f"{name}_se" for name in names} | {"t", *names} == row.keys()
    assert np.isfinite(list(row.values())).all()
    assert RoundMetrics.from_row(row) == RoundMetrics(5, checkpoint, checkpoint)


def test_where_all_is_right_the_relative_gap_is_zero():
    mask = np.ones((2, 1, 1), bool)
    candidates = Candidates(mask.astype(int), mask, -1.0 * mask, mask[..., 0], (("1",), ("2",)))
    selected = Selected(np.zeros(2, int), np.zeros(2, bool))
    right = np.ones((2, 1), bool)
    metrics = measure(candidates, np.ones((2, 1)), selected, Assessment(right, candidates.texts))
    assert metrics.relative_gap == PromptMean(0.0, 0.0)


def test_standard_error_is_over_prompts():
    values = np.random.default_rng(0).normal(size=(400, 7))
    estimate = PromptMean.over_prompts(values)
    assert estimate.mean == pytest.approx(values.mean())
    assert estimate.stderr == pytest.approx(values.mean(1).std(ddof=1) / 20)


def test_grading_uses_the_task():
    problems = [Problem("1+1=", "2"), Problem("1+2=", "3")]
    mask = np.ones((2, 2, 1), bool)
    texts = (("2", "3"), ("3", ""))
    candidates = Candidates(mask.astype(int), mask, -1.0 * mask, mask[..., 0], texts)
    assessment = assess(Addition(), problems, candidates)
    assert assessment.correct.tolist() == [[True, False], [True, False]]
    assert assessment.answers == [["2", "3"], ["3", ""]]


def graded(grades):
    """What is made of these grades of three candidates of one prompt."""

    class Own(Addition):
        def grade_all(self, pairs):
            return grades

    mask = np.ones((1, 3, 1), bool)
    candidates = Candidates(mask.astype(int), mask, -1.0 * mask, mask[..., 0], (("2", "3", ""),))
    return grade(Own(), [Problem("1+1=", "2")], candidates)


@pytest.mark.parametrize("true", [True, np.True_, 1, 1.0, np.int8(1), jnp.float32(1), np.array(1)])
@pytest.mark.parametrize("false", [False, np.False_, 0, np.float32(0), None])
def test_grades_are_true_or_false(true, false):
    for kind in (list, tuple, np.array, iter):
        assert graded(kind([true, false, true])).tolist() == [[True, False, True]]


@pytest.mark.parametrize(
    "part",
    [
        *(0.25, 2, -1, "False", "", b"no", math.nan, np.float32(0.5), jnp.float32(0.5)),
        *(np.array(0.5), np.array([0, 1]), Fraction(1, 2), Decimal("0.5"), [], object()),
    ],
)
def test_part_of_a_point_is_no_grade(part):
    with pytest.raises(InputError, match=r"Own.grade \(or grade_all\) must give True or False"):
        graded([True, part, False])


def test_grades_that_are_no_list_are_refused():
    with pytest.raises(InputError, match=r"one grade for each completion, got True"):
        graded(True)


@pytest.mark.parametrize("count", [0, 1, 2, 4, 6])
def test_grades_are_as_many_as_completions(count):
    with pytest.raises(InputError, match=f"grade for each completion: it gave {count} for 3"):
        graded([True] * count)


def test_what_the_first_process_found_right_is_right_in_all(monkeypatch):
    """A grader may run out of time in one process alone."""
    monkeypatch.setattr("jaxgap.improve.measure.broadcast_from_first", np.logical_not)
    mask = np.ones((1, 2, 1), bool)
    candidates = Candidates(mask.astype(int), mask, -1.0 * mask, mask[..., 0], (("2", "3"),))
    assessment = assess(Addition(), [Problem("1+1=", "2")], candidates)
    assert assessment.correct.tolist() == [[False, True]]


def test_answers_are_told_apart_as_the_task_spells_them():
    class Trimming(Addition):
        def canonical_answer(self, completion):
            return completion.strip()

    mask = np.ones((1, 3, 1), bool)
    candidates = Candidates(mask.astype(int), mask, -1.0 * mask, mask[..., 0], (("2", " 2", "3"),))
    selected = Selected(np.zeros(1, int), np.zeros(1, bool))
    assessment = assess(Trimming(), [Problem("1+1=", "2")], candidates)
    assert measure(candidates, np.ones((1, 3)), selected, assessment).distinct_answers.mean == 2


def test_to_have_no_answer_is_no_answer():
    """Else a model that learns to answer would seem to differ less from itself."""
    mask = np.ones((1, 3, 1), bool)
    candidates = Candidates(mask.astype(int), mask, -1.0 * mask, mask[..., 0], (("2", "", "2"),))
    selected = Selected(np.zeros(1, int), np.zeros(1, bool))
    correct = np.array([[True, False, True]])
    for answers, distinct in ((["2", "", "2"], 1), (["2", "3", ""], 2), (["", "", ""], 0)):
        found = measure(candidates, np.ones((1, 3)), selected, Assessment(correct, [answers]))
        assert found.distinct_answers.mean == distinct


def test_of_one_prompt_no_error_is_known_and_none_is_written(checkpoint):
    alone = PromptMean.over_prompts(np.array([[0.0, 1.0]]))
    assert alone.mean == 0.5
    assert math.isnan(alone.stderr)
    area = area_under_curve(np.array([[0.9, 0.1]]), np.array([[True, False]]))
    assert (area.mean, math.isnan(area.stderr)) == (1.0, True)
    metrics = RoundMetrics(5, checkpoint, dataclasses.replace(checkpoint, solver=alone))
    row = metrics.row()
    assert "train_solver" in row
    assert "train_solver_se" not in row
    assert "solver_se" in row
    again = RoundMetrics.from_row(json.loads(json.dumps(row, allow_nan=False)))
    assert again.row() == row
    assert math.isnan(again.train.solver.stderr)
    # In some rounds there is nothing to tell apart, of which the error is written.
    rows = [dataclasses.replace(metrics, train=checkpoint), metrics, metrics]
    rows = [dataclasses.replace(each, round_index=t) for t, each in enumerate(rows)]
    assert "train_solver_se" not in to_trajectory(rows).extra
