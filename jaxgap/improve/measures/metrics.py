"""What one checkpoint of a run measured, as records."""

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

    Uncertainties are in nats; the others are fractions unless said.

    **Fields:**

    - `solver`, `verifier`, `gap`: `U_s`, `U_v` and `U_s - U_v`, total over the response; the gap is
        paired by prompt.
    - `solver_per_token`, `verifier_per_token`, `gap_per_token`: each response's uncertainty over
        its length, likewise.
    - `solver_length`, `verifier_length`: tokens in a response, the end token counted.
    - `solver_accuracy`, `verifier_accuracy`: how many sampled and selected responses are right.
    - `pass_at_k`: prompts with a right one among all their candidates.
    - `generation_verification_gap`: `verifier_accuracy - solver_accuracy`, paired by prompt
        (Song et al., arXiv:2412.02674).
    - `relative_gap`: that gap over `1 - solver_accuracy`, by the ratio of means (its standard error
        takes the denominator as given); 0 where every sample is right.
    - `judging_accuracy`: candidates that the score, cut at one half, calls by their right name.
    - `judging_brier`: mean squared difference of score and truth.
    - `judging_auc`: chance that a right candidate has a higher score than a wrong one.
    - `overrating`: mean score minus the share that is right; above zero the verifier flatters.
    - `fallback`: prompts for which no candidate reached the threshold.
    - `truncated`: candidates cut at the length limit.
    - `distinct_answers`: number of different answers among a prompt's candidates; having none is
        not one.
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
    """How a round's training went.

    **Fields:**

    - `loss`: mean over its steps of what each lowered, the negative log-likelihood of a completion
        in nats.
    - `gradient_norm`: the largest of its steps' global norms, before clipping.
    - `learning_rate`: that of its last step.
    - `trained_tokens`: read by its steps, those of prompts included.
    - `target_tokens`: those of completions among them, which were to be predicted.
    """

    loss: float
    gradient_norm: float
    learning_rate: float
    trained_tokens: float
    target_tokens: float

    @classmethod
    def from_row(cls, row: Mapping[str, float]) -> TrainingSummary | None:
        """What the row of a checkpoint says of it; the first one says nothing."""
        return cls(*map(row.__getitem__, cls._fields)) if "loss" in row else None

    @classmethod
    def missing_in(cls, row: Mapping[str, float]) -> list[str]:
        """What the row of another version does not say of it."""
        return [name for name in cls._fields if "loss" in row and name not in row]


@dataclasses.dataclass(frozen=True)
class RoundMetrics:
    """The measurements of one checkpoint.

    **Fields:**

    - `round_index`: rounds of training done before this checkpoint; 0 is the model as given.
    - `held_out`: on prompts that are never trained on. What a run says of itself is said of these.
    - `train`: on the training prompts.
    - `training`: how the round went that led here; None at the first checkpoint.
    """

    round_index: int
    held_out: SplitMetrics
    train: SplitMetrics
    training: TrainingSummary | None = None

    def row(self) -> dict[str, float]:
        """The record as one flat row: `t`, then each mean under its name and its error `*_se`.

        What was measured on the training prompts has names that begin with `train_`. An error that
        is not known, that over one prompt, is left out, as is the training before the first round.
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
        """The record that :meth:`row` gave."""
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
