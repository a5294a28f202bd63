"""The results of sampling."""

from __future__ import annotations

import dataclasses

import numpy as np
from jaxtyping import Bool, Float, Int


@dataclasses.dataclass(frozen=True)
class Completions:
    """Sampled completions of each prompt, padded on the right.

    **Fields:**

    - `tokens`: sampled ids, including the end token, padded on the right.
    - `completion_mask`: which of them were sampled.
    - `logprobs`: log-probability in nats of each under the model at temperature 1, without filters;
        0 in padding.
    - `finished`: whether a completion ended with a stop token or a stop string; otherwise it was
        cut at the limit.
    - `texts`: the completions as text, without the stop token or stop string.
    """

    tokens: Int[np.ndarray, "prompts candidates steps"]
    completion_mask: Bool[np.ndarray, "prompts candidates steps"]
    logprobs: Float[np.ndarray, "prompts candidates steps"]
    finished: Bool[np.ndarray, "prompts candidates"]
    texts: tuple[tuple[str, ...], ...]

    @property
    def num_tokens(self) -> int:
        """Total number of sampled tokens."""
        return int(self.completion_mask.sum())

    @property
    def lengths(self) -> Int[np.ndarray, "prompts candidates"]:
        """Number of sampled tokens, including the end token."""
        return self.completion_mask.sum(-1)

    @property
    def uncertainty(self) -> Float[np.ndarray, "prompts candidates"]:
        """Total negative log-likelihood `U_f(y|x) = -log pi_f(y|x)` in nats."""
        return -self.logprobs.sum(-1, dtype=np.float64)

    @property
    def uncertainty_per_token(self) -> Float[np.ndarray, "prompts candidates"]:
        """`uncertainty` divided by the length; infinite for a completion without tokens."""
        lengths = self.lengths
        return np.where(lengths > 0, self.uncertainty / np.maximum(lengths, 1), np.inf)


@dataclasses.dataclass(frozen=True)
class Progress:
    """The progress of sampling.

    **Fields:**

    - `num_ended`, `num_completions`: completions that have ended, and their total number.
    - `num_tokens`: tokens sampled.
    """

    num_ended: int
    num_completions: int
    num_tokens: int
