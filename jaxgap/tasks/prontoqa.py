"""ProntoQA: is a statement true or false, given facts and rules about made-up creatures?

Saparov and He, arXiv:2210.01240. The published form is one JSON object with one object per example:

    {"example1": {"in_context_example0": {...}, ..., "test_example": {"question": "Every ...",
      "query": "True or false: ...", "chain_of_thought": ["...", ...], "answer": "True"}}, ...}

JSON lines of such test examples are read too, and the form of Logic-LM (Pan et al.,
arXiv:2305.12295): `context`, `question`, `options` and `answer`, A for true and B for false.
"""

from __future__ import annotations

import re

from jaxgap.tasks.answers import last_line, marked_answer
from jaxgap.tasks.file_task import AbstractFileTask
from jaxgap.tasks.problem import Problem
from jaxgap.tasks.prompts import PRONTOQA
from jaxgap.tasks.records import Record
from jaxgap.tasks.verdicts import said, verdicts

# As in questions, and in the last line of a prompt.
_QUERY = re.compile(r"\btrue\s{0,3}(?:/|\(?\s{0,3}or\b)\s{0,3}false\b\)?", re.IGNORECASE)
# What may precede a verdict at the start of an answer: decoration, and an option's letter.
_START = re.compile(r"\W{0,9}(?:[AB][).:]\W{0,9})?", re.IGNORECASE)
_LETTERS = {"A": "True", "B": "False"}


class ProntoQA(AbstractFileTask):
    """True-or-false questions from a file in one of the forms above.

    The verdict is the "true" or "false", in any case, with which the marked answer starts, or else
    the last one in that answer; without a marked answer, the last one on the last line. A
    completion is right if its verdict is the reference. "Not true" and "untrue" are false, "not
    false" is true, and "true or false" does not count. A negation that is not understood ("cannot
    be proven true") gives no answer.
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
        marked = marked_answer(completion, _verdicts)
        found = _verdicts(last_line(completion) if marked is None else marked)
        if not found:
            return ""
        begin, first = said(found[0])
        if marked is not None and first and _START.fullmatch(found[0].string, 0, begin):
            return first
        return said(found[-1])[1]


def _verdicts(answer: str) -> list[re.Match[str]]:
    """The verdicts of an answer, without those that repeat the question."""
    return verdicts(_QUERY.sub("", answer))


def _question_of(record: Record) -> Record:
    return record.inner("test_example") if "test_example" in record.fields else record
