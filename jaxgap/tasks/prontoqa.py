"""ProntoQA: is a statement true or false, given facts and rules about made-up creatures?

Saparov and He, arXiv:2210.01240. As published, one JSON object with an object for each example:

    {"example1": {"in_context_example0": {...}, ..., "test_example": {"question": "Every ...",
      "query": "True or false: ...", "chain_of_thought": ["...", ...], "answer": "True"}}, ...}

Also JSON lines of such test examples, and the form of Logic-LM (Pan et al., arXiv:2305.12295):
`context`, `question`, `options` and `answer`, A for true and B for false.
"""

from __future__ import annotations

import re

from jaxgap.tasks.answers import final_answer, marked_answer
from jaxgap.tasks.file_task import AbstractFileTask
from jaxgap.tasks.problem import Problem
from jaxgap.tasks.prompts import PRONTOQA
from jaxgap.tasks.records import Record

_VERDICT = re.compile(r"\b(true|false)\b", re.IGNORECASE)
_QUERY = re.compile(r"\btrue or false\b", re.IGNORECASE)
_LETTERS = {"A": "True", "B": "False"}


class ProntoQA(AbstractFileTask):
    """True-or-false questions from a file in one of the forms above.

    A completion is right if the first "true" or "false" of the answer that it marks, or the last
    one of its last line, in any case, is the reference. The words "true or false" do not count.
    """

    def _problem(self, record: Record) -> Problem:
        record = _question_of(record)
        if "context" in record.fields:
            facts, query = record.text("context"), record.text("question")
            options = [option.strip() for option in record.texts("options")]
            if options != ["A) True", "B) False"]:
                record.refuse("options", "must be 'A) True' and 'B) False'")
        else:
            facts, query = record.text("question"), record.text("query")
        answer = record.text("answer").strip()
        answer = _LETTERS.get(answer, answer) if "context" in record.fields else answer
        if answer not in ("True", "False"):
            record.refuse("answer", f"must be True or False, got {answer[:20]!r}")
        return Problem(PRONTOQA.format(question=facts.strip(), query=query.strip()), answer)

    def _solution(self, record: Record) -> str:
        record = _question_of(record)
        steps = record.texts("chain_of_thought", optional=True)
        return f"{' '.join(steps)}\nThe answer is {self._problem(record).answer}.".strip()

    def grade(self, problem: Problem, completion: str) -> bool:
        return self.canonical_answer(completion) == problem.answer

    def canonical_answer(self, completion: str) -> str:
        marked = marked_answer(completion)
        answer = final_answer(completion) if marked is None else marked
        verdicts = _VERDICT.findall(_QUERY.sub("", answer))
        return verdicts[-1 if marked is None else 0].capitalize() if verdicts else ""


def _question_of(record: Record) -> Record:
    return record.inner("test_example") if "test_example" in record.fields else record
