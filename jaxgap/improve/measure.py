"""Measure: capabilities as the theory defines them, and exact grades, on one split."""

from __future__ import annotations

import numpy as np

from jaxgap.improve.grading import Assessment
from jaxgap.improve.measures.auc import area_under_curve
from jaxgap.improve.measures.mean_with_error import MeanWithError
from jaxgap.improve.measures.metrics import SplitMetrics
from jaxgap.improve.round_records import Candidates, Scores, Selected


def measure(
    candidates: Candidates, scores: Scores, selected: Selected, assessment: Assessment
) -> SplitMetrics:
    """Summarise the candidates, scores, selections and assessments of one split.

    **Returns:** means over prompts with their standard errors. `U_s` averages over all candidates
    of a prompt: the same expectation as the paper's single sample, with less variance.
    """
    correct = assessment.correct
    estimate = MeanWithError.over_prompts
    accuracy = correct.mean(axis=1)
    accuracy_gap = selected.of(correct) - accuracy
    error_rate = 1 - accuracy.mean()
    total, per_token = candidates.uncertainty, candidates.uncertainty_per_token
    return SplitMetrics(
        solver=estimate(total),
        verifier=estimate(selected.of(total)),
        gap=estimate(total.mean(axis=1) - selected.of(total)),
        solver_per_token=estimate(per_token),
        verifier_per_token=estimate(selected.of(per_token)),
        gap_per_token=estimate(per_token.mean(axis=1) - selected.of(per_token)),
        solver_length=estimate(candidates.lengths),
        verifier_length=estimate(selected.of(candidates.lengths)),
        solver_accuracy=estimate(accuracy),
        verifier_accuracy=estimate(selected.of(correct)),
        pass_at_k=estimate(correct.max(axis=1)),
        generation_verification_gap=estimate(accuracy_gap),
        relative_gap=estimate(
            accuracy_gap / error_rate if error_rate > 0 else np.zeros_like(accuracy_gap)
        ),
        judging_accuracy=estimate((scores >= 0.5) == correct),
        judging_brier=estimate((scores - correct) ** 2),
        judging_auc=area_under_curve(scores, correct),
        overrating=estimate(scores - correct),
        fallback=estimate(selected.fallback),
        truncated=estimate(np.logical_not(candidates.finished)),
        distinct_answers=estimate(np.array([len({*each} - {""}) for each in assessment.answers])),
    )
