"""GSM8K: grade-school word problems whose answer is a number.

Cobbe et al., arXiv:2110.14168. A record has `question` and `answer`, a worked solution with
calculator annotations `<<2+2=4>>` and a last line `#### NUMBER`.
"""

from __future__ import annotations

import re

from jaxgap.tasks.answers import MAX_CHARACTERS, last_line, marked_answer
from jaxgap.tasks.file_task import AbstractFileTask
from jaxgap.tasks.numbers import DASHES, canonical_number, stated_number
from jaxgap.tasks.problem import Problem
from jaxgap.tasks.prompts import GSM8K
from jaxgap.tasks.records import Record

_ANNOTATION = re.compile(r"<<[^<>]*>>")
# The marker of a list item or quotation is not a minus sign; "-3" is not an item.
_ITEM = re.compile(rf"^[ \t]{{0,9}}[-{DASHES}>][ \t]{{1,9}}", re.MULTILINE)


class Gsm8k(AbstractFileTask):
    """Word problems from `train.jsonl` and `test.jsonl` as published.

    A completion is right if the number that it marks as its answer, or else the last number on its
    last line, exactly equals the reference; commas, currency, units and trailing zeros do not
    matter. In a marked answer, the number is the one that
    :func:`jaxgap.tasks.numbers.stated_number` finds, not one in an explanation.
    """

    def _problem(self, record: Record) -> Problem:
        question, solution = record.text("question"), record.text("answer")
        _, hashes, last = solution.rpartition("####")
        answer = stated_number(last) if hashes else None
        # Of two numbers the reader of a completion might take the other one.
        if answer is None or answer != canonical_number(last):
            last = last.strip()[:40]
            record.refuse("answer", f"must end with '#### ' and a number alone, got {last!r}")
        return Problem(GSM8K.format(question=question.strip()), answer)

    def _solution(self, record: Record) -> str:
        steps, _, last = _ANNOTATION.sub("", record.text("answer")).rpartition("####")
        return f"{steps.strip()}\nThe answer is {last.strip()}."

    def grade(self, problem: Problem, completion: str) -> bool:
        return self.canonical_answer(completion) == problem.answer

    def canonical_answer(self, completion: str) -> str:
        completion = _ITEM.sub("", completion[-MAX_CHARACTERS:])
        marked = marked_answer(completion, canonical_number)
        if marked is not None:
            return stated_number(marked) or ""
        return canonical_number(last_line(completion)) or ""
