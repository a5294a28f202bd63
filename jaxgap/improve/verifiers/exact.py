"""Verify by the task's exact grader: the upper bound on what any verifier can do."""

from __future__ import annotations

import dataclasses

import jax

from jaxgap.improve.grading import grade
from jaxgap.improve.records import Candidates, Prompts, Scores
from jaxgap.improve.verifiers.abstract_verifier import AbstractVerifier
from jaxgap.models import Params
from jaxgap.tasks import AbstractTask, TaskSplit


@dataclasses.dataclass(frozen=True)
class ExactVerifier(AbstractVerifier):
    """Scores 1 where the task's grader calls a candidate right, 0 elsewhere.

    With it the reference answers do reach training, by way of what is selected: such a run is not
    self-improvement but rejection sampling, and shows what a verifier without mistakes would gain.

    **Arguments:**

    - `task`: whose grader decides.
    - `split`: the problems, which prompts are looked up in by their text.

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
