"""What sampling returns."""

from __future__ import annotations

import dataclasses

import numpy as np
from jaxtyping import Bool, Float, Int


@dataclasses.dataclass(frozen=True)
class Completions:
    """Sampled completions of each prompt, padded on the right.

    **Fields:**

    - `tokens`: sampled ids, the token that ended a completion included, padding after it.
    - `completion_mask`: which of them were sampled.
    - `logprobs`: log-probability in nats of each under the model at temperature 1, without filters;
        0 in padding.
    - `finished`: whether a completion came to its end, by a stop token or a stop string; otherwise
        it was cut at the limit.
    - `texts`: the completions as text, without what ended them.
    """

    tokens: Int[np.ndarray, "prompts candidates steps"]
    completion_mask: Bool[np.ndarray, "prompts candidates steps"]
    logprobs: Float[np.ndarray, "prompts candidates steps"]
    finished: Bool[np.ndarray, "prompts candidates"]
    texts: tuple[tuple[str, ...], ...]

    @property
    def num_tokens(self) -> int:
        """How many tokens were sampled."""
        return int(self.completion_mask.sum())


@dataclasses.dataclass(frozen=True)
class Progress:
    """How far sampling has come.

    **Fields:**

    - `num_ended`, `num_completions`: completions that have ended, and all of them.
    - `num_tokens`: tokens sampled.
    """

    num_ended: int
    num_completions: int
    num_tokens: int
