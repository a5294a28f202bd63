"""What a checkpoint reports, against the definitions written out."""

import dataclasses
import json
import math

import numpy as np
import pytest

from jaxgap.improve import Candidates, MeanWithError, RoundMetrics, Selected, to_trajectory
from jaxgap.improve.grading import Assessment, assess
from jaxgap.improve.measure import measure
from jaxgap.improve.measures.auc import area_under_curve
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
    assert checkpoint.solver == MeanWithError(4.0, 0.0)
    assert checkpoint.verifier == MeanWithError(3.0, 1.0)
    assert checkpoint.solver_per_token.mean == pytest.approx(np.mean([2, 1, 4, 4 / 3]))
    assert checkpoint.verifier_per_token.mean == np.mean([1, 4])
    assert checkpoint.solver_length.mean == 2.25
    assert checkpoint.verifier_length.mean == 1.5
    # 12 and 6 nats over 3 and 2 tokens for the first prompt, whose second candidate is selected.
    assert checkpoint.gap == MeanWithError(1.0, 1.0)
    per_token = np.array([(2 + 1) / 2 - 1, (4 + 4 / 3) / 2 - 4])
    assert checkpoint.gap_per_token.mean == pytest.approx(per_token.mean())


def test_accuracies_and_gaps(checkpoint):
    assert checkpoint.solver_accuracy == MeanWithError(0.25, 0.25)
    assert checkpoint.verifier_accuracy == MeanWithError(0.5, 0.5)
    assert checkpoint.pass_at_k.mean == 0.5
    assert checkpoint.generation_verification_gap == MeanWithError(0.25, 0.25)
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


def test_where_all_is_right_the_relative_gap_is_zero(candidates_of):
    candidates = candidates_of((("1",), ("2",)))
    selected = Selected(np.zeros(2, int), np.zeros(2, bool))
    right = np.ones((2, 1), bool)
    metrics = measure(candidates, np.ones((2, 1)), selected, Assessment(right, candidates.texts))
    assert metrics.relative_gap == MeanWithError(0.0, 0.0)


def test_answers_are_told_apart_as_the_task_spells_them(candidates_of):
    class Trimming(Addition):
        def canonical_answer(self, completion):
            return completion.strip()

    candidates = candidates_of((("2", " 2", "3"),))
    selected = Selected(np.zeros(1, int), np.zeros(1, bool))
    assessment = assess(Trimming(), [Problem("1+1=", "2")], candidates)
    assert measure(candidates, np.ones((1, 3)), selected, assessment).distinct_answers.mean == 2


def test_to_have_no_answer_is_no_answer(candidates_of):
    """Else a model that learns to answer would seem to differ less from itself."""
    candidates = candidates_of((("2", "", "2"),))
    selected = Selected(np.zeros(1, int), np.zeros(1, bool))
    correct = np.array([[True, False, True]])
    for answers, distinct in ((["2", "", "2"], 1), (["2", "3", ""], 2), (["", "", ""], 0)):
        found = measure(candidates, np.ones((1, 3)), selected, Assessment(correct, [answers]))
        assert found.distinct_answers.mean == distinct


def test_of_one_prompt_no_error_is_known_and_none_is_written(checkpoint):
    alone = MeanWithError.over_prompts(np.array([[0.0, 1.0]]))
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


def measured(logprobs, correct, index):
    """Scores that know what is right."""
    mask = logprobs < 0
    texts = tuple(("1",) * mask.shape[1] for _ in mask)
    candidates = Candidates(mask.astype(int), mask, logprobs, mask.any(-1), texts)
    selected = Selected(np.array(index), np.zeros(len(mask), bool))
    return measure(candidates, correct * 1.0, selected, Assessment(correct, texts))


def test_of_one_candidate_a_prompt_there_is_no_gap_and_no_doubt_of_it():
    """However much prompts differ: gaps are paired by prompt."""
    logprobs = -np.random.default_rng(0).uniform(0.1, 5.0, (6, 1, 3))
    found = measured(logprobs, np.arange(6)[:, None] < 2, np.zeros(6, int))
    for gap in (found.gap, found.gap_per_token, found.generation_verification_gap):
        assert gap == MeanWithError(0.0, 0.0)


@pytest.mark.parametrize("place", range(4))
def test_a_prompt_is_passed_wherever_its_right_candidate_stands(place):
    correct = np.arange(4) == np.array([[place], [-1]])
    assert measured(-np.ones((2, 4, 1)), correct, [0, 0]).pass_at_k.mean == 0.5


def test_a_score_of_one_half_calls_a_candidate_right(candidates_of):
    """As a threshold of one half accepts it."""
    candidates = candidates_of((("1", "2"),) * 2)
    selected = Selected(np.zeros(2, int), np.zeros(2, bool))
    correct = np.array([[True, True], [True, False]])
    found = measure(
        candidates, np.full((2, 2), 0.5), selected, Assessment(correct, candidates.texts)
    )
    assert found.judging_accuracy.mean == 0.75
