"""Measure: where the loop meets the true answers, and the only place where it does."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool

from jaxgap.improve.auc import area_under_curve
from jaxgap.improve.estimate import Estimate
from jaxgap.improve.metrics import SplitMetrics
from jaxgap.improve.records import Candidates, Scores, Selected
from jaxgap.tasks import AbstractTask, Problem


def grade(
    task: AbstractTask, problems: Sequence[Problem], candidates: Candidates
) -> Bool[np.ndarray, "prompts candidates"]:
    """Whether each candidate is right, by the task's exact grader."""
    pairs = [
        (problem, completion)
        for problem, completions in zip(problems, candidates.texts, strict=True)
        for completion in completions
    ]
    return np.array(task.grade_all(pairs)).reshape(candidates.finished.shape)


def measure(
    candidates: Candidates,
    scores: Scores,
    selected: Selected,
    correct: Bool[np.ndarray, "prompts candidates"],
) -> SplitMetrics:
    """Summarise what was sampled, scored and selected on the prompts of one split.

    **Arguments:**

    - `candidates`, `scores`, `selected`: of the same prompts.
    - `correct`: whether each candidate is right.

    **Returns:** means over prompts with their standard errors. `U_s` averages all candidates of a
    prompt, which estimates the same as the paper's one sample with less variance.
    """
    estimate = Estimate.over_prompts
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
        distinct_answers=estimate(np.array([len(set(texts)) for texts in candidates.texts])),
    )
