"""Measure: where the loop meets the true answers, and the only place where it does."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool

from jaxgap.improve.metrics import Estimate, RoundMetrics
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
    round_index: int,
    held_out: tuple[Candidates, Scores, Selected],
    train: tuple[Candidates, Selected],
    correct: Bool[np.ndarray, "prompts candidates"],
) -> RoundMetrics:
    """Summarise one checkpoint.

    **Arguments:**

    - `round_index`: rounds of training done before it.
    - `held_out`: what it sampled, scored and selected on held-out prompts.
    - `train`: what it sampled and selected on training prompts.
    - `correct`: whether each held-out candidate is right.

    **Returns:** means over prompts with their standard errors. `U_s` averages all candidates of a
    prompt, which estimates the same as the paper's one sample with less variance.
    """
    candidates, scores, selected = held_out
    train_candidates, train_selected = train
    estimate = Estimate.over_prompts
    accuracy = correct.mean(axis=1)
    gap = selected.of(correct) - accuracy
    error_rate = 1 - accuracy.mean()
    return RoundMetrics(
        round_index=round_index,
        solver=estimate(candidates.uncertainty),
        verifier=estimate(selected.of(candidates.uncertainty)),
        solver_per_token=estimate(candidates.uncertainty_per_token),
        verifier_per_token=estimate(selected.of(candidates.uncertainty_per_token)),
        solver_length=estimate(candidates.lengths),
        verifier_length=estimate(selected.of(candidates.lengths)),
        solver_accuracy=estimate(accuracy),
        verifier_accuracy=estimate(selected.of(correct)),
        pass_at_k=estimate(correct.max(axis=1)),
        generation_verification_gap=estimate(gap),
        relative_gap=estimate(gap / error_rate if error_rate > 0 else np.zeros_like(gap)),
        judging_accuracy=estimate((scores >= 0.5) == correct),
        judging_brier=estimate((scores - correct) ** 2),
        fallback=estimate(selected.fallback),
        truncated=estimate(np.logical_not(candidates.finished)),
        distinct_answers=estimate(np.array([len(set(texts)) for texts in candidates.texts])),
        train_solver=estimate(train_candidates.uncertainty),
        train_verifier=estimate(train_selected.of(train_candidates.uncertainty)),
    )
