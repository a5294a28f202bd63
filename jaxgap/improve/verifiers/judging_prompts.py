"""Judging prompts as tokens, and the parts in which a model reads them."""

from __future__ import annotations

import logging
from typing import NamedTuple

import numpy as np
from jaxtyping import Int

from jaxgap.sampling import Continuations, TokenBatch, split_beginnings

_logger = logging.getLogger(__name__)

_NO_TOKEN = -1


class JudgingPrompts(NamedTuple):
    """What a model is asked about the candidates of some problems.

    **Fields:**

    - `rows`: each judging prompt.
    - `problems`: which problem each is about.
    - `beginnings`: those of each problem up to where a completion begins.
    """

    rows: list[list[int]]
    problems: Int[np.ndarray, " rows"]
    beginnings: list[list[int]]

    def fitting(self, context_length: int) -> Int[np.ndarray, " fitting"]:
        """Those that fit into the model's context, problem by problem, the longest problem last."""
        lengths = np.array([len(row) for row in self.rows])
        fitting = np.flatnonzero(lengths <= context_length)
        if len(fitting) < len(lengths):
            _logger.warning(
                "%d of %d judging prompts exceed the model's context: their candidates score 0",
                len(lengths) - len(fitting),
                len(lengths),
            )
        longest = np.zeros(len(self.beginnings), int)
        np.maximum.at(longest, self.problems, lengths)
        problems = self.problems[fitting]
        return fitting[np.lexsort((problems, longest[problems]))]

    def split(
        self, indices: Int[np.ndarray, " chunk"], pad_id: int, window: int | None = None
    ) -> Continuations:
        """Some of them, what is before the completions of a problem to be read once.

        What completions themselves have in common stays with each of them: so lengths depend on
        prompts and completions alone, and memory is what `jaxgap plan` says.

        **Arguments:**

        - `indices`: which of them.
        - `pad_id`: what they are padded with.
        - `window`: of the model's rotary embedding. A problem that begins within it and has a row
            that ends beyond it is read whole, candidate by candidate.
        """
        problems = self.problems[indices]
        present = np.unique(problems)
        window = max(map(len, self.rows)) if window is None else window
        crossing = {
            problem
            for index, problem in zip(indices, problems, strict=True)
            if len(self.beginnings[problem]) <= window < len(self.rows[index])
        }
        # One row more of each problem, which goes another way where completions begin.
        others = [
            [*([] if problem in crossing else self.beginnings[problem]), _NO_TOKEN]
            for problem in present
        ]
        prefixes, prefix_of, rests = split_beginnings(
            [*(self.rows[index] for index in indices), *others],
            np.append(problems, present),
            pad_id,
        )
        rests = TokenBatch(*(part[: len(indices)] for part in rests))
        return Continuations(prefixes, prefix_of[: len(indices)], rests)
