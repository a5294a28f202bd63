"""What one checkpoint of a run measured, as a record."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping

from jaxgap.improve.prompt_mean import PromptMean
from jaxgap.improve.records import Training

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

    solver: PromptMean
    verifier: PromptMean
    gap: PromptMean
    solver_per_token: PromptMean
    verifier_per_token: PromptMean
    gap_per_token: PromptMean
    solver_length: PromptMean
    verifier_length: PromptMean
    solver_accuracy: PromptMean
    verifier_accuracy: PromptMean
    pass_at_k: PromptMean
    generation_verification_gap: PromptMean
    relative_gap: PromptMean
    judging_accuracy: PromptMean
    judging_brier: PromptMean
    judging_auc: PromptMean
    overrating: PromptMean
    fallback: PromptMean
    truncated: PromptMean
    distinct_answers: PromptMean


_NAMES = tuple(field.name for field in dataclasses.fields(SplitMetrics))


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
    training: Training | None = None

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
                    name: PromptMean(
                        row[f"{prefix}{name}"], row.get(f"{prefix}{name}_se", math.nan)
                    )
                    for name in _NAMES
                }
            )
            for prefix in ("", _TRAIN)
        )
        return cls(int(row["t"]), held_out, train, Training.from_row(row))
