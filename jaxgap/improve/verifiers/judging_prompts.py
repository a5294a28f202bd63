"""Judging prompts as tokens, split into shared prefixes and suffixes."""

from __future__ import annotations

import logging
from typing import NamedTuple

import numpy as np
from jaxtyping import Int

from jaxgap.sampling import Continuations, TokenBatch, split_prefixes

_logger = logging.getLogger(__name__)

_NO_TOKEN = -1


class JudgingPrompts(NamedTuple):
    """The judging prompts for the candidates of some problems, as token ids.

    **Fields:**

    - `rows`: the judging prompts.
    - `problems`: the index of the problem each is about.
    - `prefixes`: for each problem, its judging prompt up to where a completion begins.
    """

    rows: list[list[int]]
    problems: Int[np.ndarray, " rows"]
    prefixes: list[list[int]]

    def fitting(self, context_length: int) -> Int[np.ndarray, " fitting"]:
        """Indices of rows that fit the context, grouped by problem, the longest problem last."""
        lengths = np.array([len(row) for row in self.rows])
        fitting = np.flatnonzero(lengths <= context_length)
        if len(fitting) < len(lengths):
            _logger.warning(
                "%d of %d judging prompts exceed the model's context: their candidates score 0",
                len(lengths) - len(fitting),
                len(lengths),
            )
        longest = np.zeros(len(self.prefixes), int)
        np.maximum.at(longest, self.problems, lengths)
        problems = self.problems[fitting]
        return fitting[np.lexsort((problems, longest[problems]))]

    def with_whole_rows(self, window: int | None) -> JudgingPrompts:
        """The same prompts, split so that no row crosses the window after its prefix was read.

        A problem whose prefix ends within the window and that has a row ending beyond it gets an
        empty prefix.

        **Arguments:**

        - `window`: the window of the model's rotary embedding, if it has one.
        """
        if window is None:
            return self
        crossing = {
            problem
            for row, problem in zip(self.rows, self.problems, strict=True)
            if len(self.prefixes[problem]) <= window < len(row)
        }
        return self._replace(
            prefixes=[
                [] if problem in crossing else prefix
                for problem, prefix in enumerate(self.prefixes)
            ]
        )

    def split(self, indices: Int[np.ndarray, " chunk"], pad_id: int) -> Continuations:
        """Some of the rows, with the part before a problem's completions as a shared prefix.

        A common prefix of the completions themselves is not shared: this way lengths depend only on
        prompt and completion lengths, and memory is what `jaxgap plan` predicts.
        """
        problems = self.problems[indices]
        present = np.unique(problems)
        # One extra row per problem, which diverges where completions begin.
        others = [[*self.prefixes[problem], _NO_TOKEN] for problem in present]
        prefixes, prefix_of, suffixes = split_prefixes(
            [*(self.rows[index] for index in indices), *others],
            np.append(problems, present),
            pad_id,
        )
        suffixes = TokenBatch(*(part[: len(indices)] for part in suffixes))
        return Continuations(prefixes, prefix_of[: len(indices)], suffixes)
