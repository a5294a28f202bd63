"""Any file of prompts and answers."""

from __future__ import annotations

import re
from pathlib import Path

from jaxgap.tasks.answers import (
    bare,
    enclosed_answer,
    final_answer,
    marked_answer,
    without_text_commands,
)
from jaxgap.tasks.file_task import AbstractFileTask
from jaxgap.tasks.numbers import canonical_text
from jaxgap.tasks.problem import Problem
from jaxgap.tasks.records import Record

_QUOTES = ('""', "''", "``", "\u201c\u201d", "\u2018\u2019")
# Only after a word: `5!`, `n!` and `(n+1)!` differ from the same without it.
_EXCLAIMED = re.compile(r"(?<=[^\W\d_]{2})([\"'`*\u201d\u2019]*)!+([\"'`*\u201d\u2019]*)$")


class PromptAnswers(AbstractFileTask):
    """Prompts and reference answers in two named fields of a JSON-lines file.

    A completion is right if its final answer equals the reference: as a number if both are numbers,
    otherwise as text up to case and white space. The reference is its marked part (`####`, a box,
    tags) if it has one, else all of it. Its decoration may be omitted: a full stop, formula
    delimiters, asterisks, quotes around it, and an exclamation mark after a word. A completion's
    answer may also add these, unless it is in tags or a box. LaTeX's `\\text` never matters.

    **Arguments:**

    - `path`, `held_out_path`, `num_examples`: as for :class:`AbstractFileTask`.
    - `prompt_field`: the field with the prompt, which is given to the model unchanged.
    - `answer_field`: the field with the answer, a string or a number.
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
        answer = record.stated(self._answer_field)
        if not _references(answer):
            record.refuse(self._answer_field, f"holds no answer: {answer[:40]!r}")
        return Problem(record.text(self._prompt_field), answer)

    def _solution(self, record: Record) -> str:
        return record.stated(self._answer_field)

    def grade(self, problem: Problem, completion: str) -> bool:
        return self.canonical_answer(completion) in _references(problem.answer)

    def canonical_answer(self, completion: str) -> str:
        enclosed = enclosed_answer(completion)
        if enclosed is not None:
            return canonical_text(without_text_commands(enclosed))
        return canonical_text(_unadorned(without_text_commands(final_answer(completion))))


def _references(answer: str) -> set[str]:
    """The canonical texts that are right: the reference with and without decoration."""
    marked = marked_answer(answer)
    reference = without_text_commands(answer if marked is None else marked)
    plain = bare(reference)
    return {canonical_text(text) for text in (reference, plain, _unadorned(plain))} - {""}


def _unadorned(answer: str) -> str:
    """A bare answer without surrounding quotes and an exclamation mark after a word."""
    calm = bare(_EXCLAIMED.sub(r"\1\2", answer))
    inner = calm[1:-1]
    quoted = calm[:1] + calm[-1:] in _QUOTES and not {calm[0], calm[-1]} & set(inner)
    return bare(inner) if quoted and inner else calm
