"""What one checkpoint of a run measured, as a record."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np


class Estimate(NamedTuple):
    """A mean over prompts and its standard error.

    **Fields:**

    - `mean`: the mean.
    - `stderr`: the standard deviation over prompts divided by the root of their number.
    """

    mean: float
    stderr: float

    @classmethod
    def over_prompts(cls, values: np.ndarray) -> Estimate:
        """Estimate from one value a prompt, or several a prompt, which are averaged first.

        >>> Estimate.over_prompts(np.array([[1.0, 3.0], [4.0, 4.0]]))
        Estimate(mean=3.0, stderr=1.0)
        """
        per_prompt = np.asarray(values, np.float64).reshape(len(values), -1).mean(axis=1)
        count = len(per_prompt)
        spread = per_prompt.std(ddof=1) if count > 1 else 0.0
        return cls(float(per_prompt.mean()), float(spread / np.sqrt(count)))


@dataclasses.dataclass(frozen=True)
class RoundMetrics:
    """The measurements of one checkpoint, on held-out prompts unless named `train_*`.

    Uncertainties are in nats; the others are fractions unless said.

    **Fields:**

    - `round_index`: rounds of training done before this checkpoint; 0 is the model as given.
    - `solver`, `verifier`: `U_s` and `U_v`, total over the response.
    - `solver_per_token`, `verifier_per_token`: each response's uncertainty over its length.
    - `solver_length`, `verifier_length`: tokens in a response, the end token counted.
    - `solver_accuracy`, `verifier_accuracy`: how many sampled and selected responses are right.
    - `pass_at_k`: prompts with a right one among all their candidates.
    - `generation_verification_gap`: `verifier_accuracy - solver_accuracy`, paired by prompt
        (Song et al., arXiv:2412.02674).
    - `relative_gap`: that gap over `1 - solver_accuracy`, by the ratio of means (its standard error
        takes the denominator as given); 0 where every sample is right.
    - `judging_accuracy`: candidates that the score, cut at one half, calls by their right name.
    - `judging_brier`: mean squared difference of score and truth.
    - `fallback`: prompts for which no candidate reached the threshold.
    - `truncated`: candidates cut at the length limit.
    - `distinct_answers`: number of different completions among a prompt's candidates.
    - `train_solver`, `train_verifier`: `U_s` and `U_v` on the training prompts.
    """

    round_index: int
    solver: Estimate
    verifier: Estimate
    solver_per_token: Estimate
    verifier_per_token: Estimate
    solver_length: Estimate
    verifier_length: Estimate
    solver_accuracy: Estimate
    verifier_accuracy: Estimate
    pass_at_k: Estimate
    generation_verification_gap: Estimate
    relative_gap: Estimate
    judging_accuracy: Estimate
    judging_brier: Estimate
    fallback: Estimate
    truncated: Estimate
    distinct_answers: Estimate
    train_solver: Estimate
    train_verifier: Estimate

    def row(self) -> dict[str, float]:
        """The record as one flat row: `t`, then each mean under its name and its error `*_se`."""
        row = {"t": float(self.round_index)}
        for field in dataclasses.fields(self)[1:]:
            estimate = getattr(self, field.name)
            row |= {field.name: estimate.mean, f"{field.name}_se": estimate.stderr}
        return row

    @classmethod
    def from_row(cls, row: Mapping[str, float]) -> RoundMetrics:
        """The record that :meth:`row` gave."""
        names = [field.name for field in dataclasses.fields(cls)[1:]]
        estimates = {name: Estimate(row[name], row[f"{name}_se"]) for name in names}
        return cls(int(row["t"]), **estimates)
