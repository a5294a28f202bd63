"""Verify by the task's exact grader: the upper bound on what any verifier can do."""

from __future__ import annotations

import dataclasses

import jax

from jaxgap.improve.grading import grade
from jaxgap.improve.round_records import Candidates, Prompts, Scores
from jaxgap.improve.verifiers.abstract_verifier import AbstractVerifier
from jaxgap.models import Params
from jaxgap.tasks import AbstractTask, TaskSplit


@dataclasses.dataclass(frozen=True)
class ExactVerifier(AbstractVerifier):
    """Scores 1 for candidates that the task's grader accepts, 0 for the others.

    Here the reference answers do reach training, through the selection: such a run is rejection
    sampling, not self-improvement, and shows what a verifier without mistakes would gain.

    **Arguments:**

    - `task`: provides the grader.
    - `split`: the problems, looked up by the text of a prompt.

    **Raises:** `ValueError` when called with a prompt that is in neither split.
    """

    task: AbstractTask
    split: TaskSplit

    def __call__(
        self, params: Params, prompts: Prompts, candidates: Candidates, key: jax.Array
    ) -> Scores:
        problems = {problem.text: problem for problem in (*self.split.train, *self.split.held_out)}
        unknown = [text for text in prompts.texts if text not in problems]
        if unknown:
            raise ValueError(f"prompts must be of the split, got {unknown[0][:80]!r}")
        return grade(self.task, [problems[text] for text in prompts.texts], candidates) * 1.0
