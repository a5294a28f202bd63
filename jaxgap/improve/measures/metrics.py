"""Records of the measurements of a checkpoint."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import NamedTuple

from jaxgap.improve.measures.mean_with_error import MeanWithError

_TRAIN = "train_"


@dataclasses.dataclass(frozen=True)
class SplitMetrics:
    """The measurements on one split's prompts.

    Uncertainties are in nats; the others are fractions unless stated otherwise.

    **Fields:**

    - `solver`, `verifier`, `gap`: `U_s`, `U_v` and `U_s - U_v`, total over the response; the gap is
        paired by prompt.
    - `solver_per_token`, `verifier_per_token`, `gap_per_token`: the same with each response's
        uncertainty divided by its length.
    - `solver_length`, `verifier_length`: tokens in a response, including the end token.
    - `solver_accuracy`, `verifier_accuracy`: how many sampled and selected responses are right.
    - `pass_at_k`: prompts with at least one right candidate.
    - `generation_verification_gap`: `verifier_accuracy - solver_accuracy`, paired by prompt
        (Song et al., arXiv:2412.02674).
    - `relative_gap`: that gap over `1 - solver_accuracy`, as a ratio of means (its standard error
        treats the denominator as exact); 0 if every sample is right.
    - `judging_accuracy`: candidates that the score, thresholded at one half, classifies correctly.
    - `judging_brier`: mean squared difference between score and truth.
    - `judging_auc`: probability that a right candidate scores higher than a wrong one.
    - `overrating`: mean score minus the fraction that is right; positive if the verifier overrates.
    - `fallback`: prompts for which no candidate reached the threshold.
    - `truncated`: candidates cut at the length limit.
    - `distinct_answers`: number of distinct answers among a prompt's candidates; a missing answer
        does not count.
    """

    solver: MeanWithError
    verifier: MeanWithError
    gap: MeanWithError
    solver_per_token: MeanWithError
    verifier_per_token: MeanWithError
    gap_per_token: MeanWithError
    solver_length: MeanWithError
    verifier_length: MeanWithError
    solver_accuracy: MeanWithError
    verifier_accuracy: MeanWithError
    pass_at_k: MeanWithError
    generation_verification_gap: MeanWithError
    relative_gap: MeanWithError
    judging_accuracy: MeanWithError
    judging_brier: MeanWithError
    judging_auc: MeanWithError
    overrating: MeanWithError
    fallback: MeanWithError
    truncated: MeanWithError
    distinct_answers: MeanWithError


_NAMES = tuple(field.name for field in dataclasses.fields(SplitMetrics))


class TrainingSummary(NamedTuple):
    """A summary of a round's training.

    **Fields:**

    - `loss`: mean over steps of the training loss, the negative log-likelihood of a completion in
        nats.
    - `gradient_norm`: the largest global norm of any step, before clipping.
    - `learning_rate`: the learning rate of the last step.
    - `trained_tokens`: tokens read by the steps, including those of prompts.
    - `target_tokens`: tokens that were to be predicted, those of completions.
    """

    loss: float
    gradient_norm: float
    learning_rate: float
    trained_tokens: float
    target_tokens: float

    @classmethod
    def from_row(cls, row: Mapping[str, float]) -> TrainingSummary | None:
        """The summary in a checkpoint's row; None for the first checkpoint."""
        return cls(*map(row.__getitem__, cls._fields)) if "loss" in row else None

    @classmethod
    def missing_in(cls, row: Mapping[str, float]) -> list[str]:
        """The fields that a row written by another version lacks."""
        return [name for name in cls._fields if "loss" in row and name not in row]


@dataclasses.dataclass(frozen=True)
class RoundMetrics:
    """The measurements of one checkpoint.

    **Fields:**

    - `round_index`: rounds of training done before this checkpoint; 0 is the model as given.
    - `held_out`: on prompts that are never trained on; a run's headline results are these.
    - `train`: on the training prompts.
    - `training`: a summary of the round that led here; None at the first checkpoint.
    """

    round_index: int
    held_out: SplitMetrics
    train: SplitMetrics
    training: TrainingSummary | None = None

    def row(self) -> dict[str, float]:
        """The record as one flat row: `t`, then each mean under its name and its error as `*_se`.

        Names of measurements on the training prompts begin with `train_`. Unknown errors (of a
        single prompt) are left out, as is the training summary before the first round.
        """
        row = {"t": float(self.round_index)}
        for prefix, split in (("", self.held_out), (_TRAIN, self.train)):
            for name in _NAMES:
                estimate = getattr(split, name)
                row[f"{prefix}{name}"] = estimate.mean
                if not math.isnan(estimate.stderr):
                    row[f"{prefix}{name}_se"] = estimate.stderr
        return row | (self.training._asdict() if self.training else {})

    @classmethod
    def from_row(cls, row: Mapping[str, float]) -> RoundMetrics:
        """The record from a row made by :meth:`row`."""
        held_out, train = (
            SplitMetrics(
                **{
                    name: MeanWithError(
                        row[f"{prefix}{name}"], row.get(f"{prefix}{name}_se", math.nan)
                    )
                    for name in _NAMES
                }
            )
            for prefix in ("", _TRAIN)
        )
        return cls(int(row["t"]), held_out, train, TrainingSummary.from_row(row))
