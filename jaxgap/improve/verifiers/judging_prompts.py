"""Judging prompts as tokens, and the parts in which a model reads them."""

from __future__ import annotations

import logging
from typing import NamedTuple

import numpy as np
from jaxtyping import Int

from jaxgap.sampling import Continuations, TokenBatch, split_prefixes

_logger = logging.getLogger(__name__)

_NO_TOKEN = -1


class JudgingPrompts(NamedTuple):
    """What a model is asked about the candidates of some problems.

    **Fields:**

    - `rows`: each judging prompt.
    - `problems`: which problem each is about.
    - `prefixes`: those of each problem up to where a completion begins.
    """

    rows: list[list[int]]
    problems: Int[np.ndarray, " rows"]
    prefixes: list[list[int]]

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
        longest = np.zeros(len(self.prefixes), int)
        np.maximum.at(longest, self.problems, lengths)
        problems = self.problems[fitting]
        return fitting[np.lexsort((problems, longest[problems]))]

    def with_whole_rows(self, window: int | None) -> JudgingPrompts:
        """The same, in which no row grows over a window after its prefix was read.

        What begins within it and has a row that ends beyond it has an empty prefix.

        **Arguments:**

        - `window`: of the model's rotary embedding, if it has one.
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
        """Some of them, what is before the completions of a problem to be read once.

        What completions themselves have in common stays with each of them: so lengths depend on
        prompts and completions alone, and memory is what `jaxgap plan` says.
        """
        problems = self.problems[indices]
        present = np.unique(problems)
        # One row more of each problem, which goes another way where completions begin.
        others = [[*self.prefixes[problem], _NO_TOKEN] for problem in present]
        prefixes, prefix_of, suffixes = split_prefixes(
            [*(self.rows[index] for index in indices), *others],
            np.append(problems, present),
            pad_id,
        )
        suffixes = TokenBatch(*(part[: len(indices)] for part in suffixes))
        return Continuations(prefixes, prefix_of[: len(indices)], suffixes)
