"""Prompts and completions as fixed-shape arrays for the update step.

Examples differ in length. Padding each to the longest would make most of a batch padding, so
several are packed end to end in one row: `segments` numbers the examples of a row, and attention
and positions restart with each. A batch is split into microbatches of a few rows (the first axis),
whose gradients are accumulated.

Only the tokens of completions are predicted, so only the positions before them are projected onto
the vocabulary. `target_positions` lists these for each row, packed to the left.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Array, Float, Int

from jaxgap.models import Mask, Tokens
from jaxgap.sampling import TokenBatch


class Examples(NamedTuple):
    """Prompts with one completion each.

    **Fields:**

    - `prompts`: prompts padded on the left.
    - `tokens`: completions padded on the right, including the end token.
    - `completion_mask`: which of these tokens are real.
    """

    prompts: TokenBatch
    tokens: Tokens
    completion_mask: Mask


class BatchShape(NamedTuple):
    """The shape of every batch of a run, so that one compiled program serves them all.

    **Fields:**

    - `num_microbatches`: how many microbatches fit, >= 1; empty ones cost nothing.
    - `rows`: rows in each, >= 1, which are in memory at a time. A multiple of the number of row
        shards.
    - `row_length`: tokens in a row, at least the longest prompt plus completion, minus one.
    """

    num_microbatches: int
    rows: int
    row_length: int

    @classmethod
    def of(cls, batch_size: int, rows: int, row_length: int) -> BatchShape:
        """Room for `batch_size` examples of any lengths up to `row_length`."""
        return cls(-(-batch_size // rows), rows, row_length)


class TrainingBatch(NamedTuple):
    """A packed batch.

    **Fields:**

    - `tokens`: prompts, each followed by its completion without the last token, which predicts
        nothing.
    - `segments`: which example of its row a token belongs to, from 1; 0 is padding.
    - `target_positions`: the positions in the row where predictions are made.
    - `targets`: the token to predict at each.
    - `weights`: the weight of its negative log-likelihood in the loss: one over the number of
        examples in the whole batch, so that the microbatches' losses add up to the mean; 0 where
        nothing is predicted.
    """

    tokens: Int[np.ndarray | Array, "microbatches rows length"]
    segments: Int[np.ndarray | Array, "microbatches rows length"]
    target_positions: Int[np.ndarray | Array, "microbatches rows length"]
    targets: Int[np.ndarray | Array, "microbatches rows length"]
    weights: Float[np.ndarray | Array, "microbatches rows length"]

    @property
    def num_tokens(self) -> int:
        """Number of tokens read, without padding."""
        return int((np.asarray(self.segments) > 0).sum())

    @property
    def num_targets(self) -> int:
        """Number of predictions that count in the loss."""
        return int((np.asarray(self.weights) > 0).sum())
