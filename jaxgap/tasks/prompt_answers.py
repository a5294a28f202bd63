"""Any file of prompts and answers."""

from __future__ import annotations

from pathlib import Path

from jaxgap.tasks.answers import canonical_text, final_answer
from jaxgap.tasks.file_task import AbstractFileTask
from jaxgap.tasks.problem import Problem
from jaxgap.tasks.records import Record


class PromptAnswers(AbstractFileTask):
    """Prompts and reference answers in the fields of a JSON-lines file that are named.

    A completion is right if its final answer equals the reference: as a number if both are
    numbers, or else as a text, case and white space aside.

    **Arguments:**

    - `path`, `held_out_path`, `num_examples`: as for :class:`AbstractFileTask`.
    - `prompt_field`: the field with the prompt, which is given to the model as it is.
    - `answer_field`: the field with the answer, a text.
    """

    def __init__(
        self,
        path: str | Path,
        held_out_path: str | Path | None = None,
        *,
        prompt_field: str = "prompt",
        answer_field: str = "answer",
        num_examples: int = 0,
    ):
        self._prompt_field, self._answer_field = prompt_field, answer_field
        super().__init__(path, held_out_path, num_examples=num_examples)

    def _problem(self, record: Record) -> Problem:
        return Problem(record.text(self._prompt_field), record.text(self._answer_field))

    def _solution(self, record: Record) -> str:
        return record.text(self._answer_field)

    def grade(self, problem: Problem, completion: str) -> bool:
        return self.canonical_answer(completion) == self.canonical_answer(problem.answer)

    def canonical_answer(self, completion: str) -> str:
        return canonical_text(final_answer(completion))
