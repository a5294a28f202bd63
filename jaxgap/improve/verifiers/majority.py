"""Verify by majority: the more frequent an answer, the better."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Callable, Sequence

import jax
import numpy as np

from jaxgap.improve.grading import canonical_answers
from jaxgap.improve.round_records import Candidates, Prompts, Scores
from jaxgap.improve.verifiers.abstract_verifier import AbstractVerifier
from jaxgap.models import Params


@dataclasses.dataclass(frozen=True)
class MajorityVerifier(AbstractVerifier):
    """Self-consistency: each candidate's share of votes among its prompt's candidates.

        s_i = #{j : a_j = a_i} / N

    where `a_j` is the answer in candidate j. A candidate without an answer scores 0. No model and
    no reference answer is involved. With a threshold sigma above one half, a prompt has accepted
    candidates only if most of its candidates agree.

    **Arguments:**

    - `canonical_answers`: extracts answers from completions in canonical spelling, empty if there
        is none; :meth:`jaxgap.tasks.AbstractTask.canonical_answers` of the task.

    **Raises:** `InputError` when called, if these do not give one answer for each completion.

    Wang et al., arXiv:2203.11171, choose the most frequent answer; here its frequency is the score.
    """

    canonical_answers: Callable[[Sequence[str]], Sequence[str]]

    def __call__(
        self, params: Params, prompts: Prompts, candidates: Candidates, key: jax.Array
    ) -> Scores:
        rows = canonical_answers(self.canonical_answers, candidates)
        return np.array([_shares(row) for row in rows])


def _shares(answers: Sequence[str]) -> list[float]:
    """The fraction of all answers equal to each one; 0 for a missing answer.

    >>> _shares(["4", "5", "4", ""])
    [0.5, 0.25, 0.5, 0.0]
    """
    votes = collections.Counter(answers)
    return [votes[answer] / len(answers) if answer else 0.0 for answer in answers]
