"""ProntoQA: is a statement true or false, given facts and rules about made-up creatures?

Saparov and He, arXiv:2210.01240. As published, one JSON object with an object for each example:

    {"example1": {"in_context_example0": {...}, ..., "test_example": {"question": "Every ...",
      "query": "True or false: ...", "chain_of_thought": ["...", ...], "answer": "True"}}, ...}

Also JSON lines of such test examples, and the form of Logic-LM (Pan et al., arXiv:2305.12295):
`context`, `question`, `options` and `answer`, A for true and B for false.
"""

from __future__ import annotations

import re

from jaxgap.tasks.answers import DENIAL, last_line, marked_answer
from jaxgap.tasks.file_task import AbstractFileTask
from jaxgap.tasks.problem import Problem
from jaxgap.tasks.prompts import PRONTOQA
from jaxgap.tasks.records import Record

_VERDICT = re.compile(r"\b(?P<word>true|false|untrue)\b", re.IGNORECASE)
# As questions have it, and the last line of a prompt.
_QUERY = re.compile(r"\btrue\s{0,3}(?:/|\(?\s{0,3}or\b)\s{0,3}false\b\)?", re.IGNORECASE)
# Before a verdict that an answer starts with: decoration, and the letter of an option.
_START = re.compile(r"\W{0,9}(?:[AB][).:]\W{0,9})?", re.IGNORECASE)
_LETTERS = {"A": "True", "B": "False"}

# What a text quotes is not what it says.
_QUOTED = re.compile(
    r"\"[^\"\n]{1,200}\"|\u201c[^\u201d\n]{1,200}\u201d"
    r"|(?<!\w)'(?:[^'\n]|(?<=\w)'(?=\w)){1,200}'(?!\w)"
)
# What a denial does not reach beyond. Right after one a comma, colon or bracket ends nothing.
_CLAUSE_END = re.compile(
    r"[.;!?\n)\]|=>\u2014\u2192\u21d2]|\s[-\u2013]\s"
    r"|(?<!not)(?<!not\s)(?<!n['\u2019]t)(?<!n['\u2019]t\s)(?<!never)[,:(\[]"
    r"|\b(?:but|and|or|so|thus|hence|therefore|because|since|which|then)\b"
    r"|\b(?:makes|making|means|meaning)\b"
    r"|\b(?:true|false|untrue)\b(?!\s{1,3}that\b)",
    re.IGNORECASE,
)
_TOKEN = re.compile(
    rf"(?P<denial>{DENIAL}|\b(?:non|no\s{{1,3}}way|false|untrue)\b)"
    r"|(?:(?!n['\u2019]t)[\w'\u2019])+|[,:(\[]",
    re.IGNORECASE,
)
# How many characters before a verdict a denial is looked for, and how many words before it one that
# is not understood matters.
_REACH, _NEAR = 160, 8
# With nothing else between, a denial is one of the verdict.
_FILLERS = re.compile(
    r"(?:(?:a|all|always|actually|any|at|be|been|by|case|claim|completely|conclusion|entirely|even"
    r"|ever|exactly|fact|fully|in|is|it|means|necessarily|possibly|quite|really|statement|strictly"
    r"|that|the|this|to|true|truly|way) )*"
)
# "Max is not red is true" says so of Max, "it is not certain that it is true" does not say it is.
_COPULA = re.compile(r"\b(?:is|are|was|it['\u2019]s|that['\u2019]s|must|remains) ")
_ATTITUDE = re.compile(
    r"\b(?:that|whether|if|case|think|believe|say|know|certain|sure|clear|known|possible|likely"
    r"|proven) "
)
# These deny too, in ways that are not worked out.
_DOUBT = re.compile(r"neither|nor|impossible|incorrect|opposite|unlikely|wrong")


class ProntoQA(AbstractFileTask):
    """True-or-false questions from a file in one of the forms above.

    A completion is right if the "true" or "false", in any case, that the answer it marks starts
    with, or else the last one of that answer, is the reference; the last one of its last line where
    it marks none. "Not true" and "untrue" are false, "not false" is true, and "true or false" does
    not count. One that is denied in a way not understood ("cannot be proven true") answers nothing.
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
        verdicts = _verdicts(last_line(completion) if marked is None else marked)
        if not verdicts:
            return ""
        begin, said = _said(verdicts[0])
        if marked is not None and said and _START.fullmatch(verdicts[0].string, 0, begin):
            return said
        return _said(verdicts[-1])[1]


def _verdicts(answer: str) -> list[re.Match[str]]:
    return list(_VERDICT.finditer(_QUOTED.sub(_unquoted, _QUERY.sub("", answer))))


def _unquoted(quoted: re.Match[str]) -> str:
    """A word for what is quoted, unless a verdict is."""
    return quoted.group() if _VERDICT.search(quoted.group()) else " it "


def _said(verdict: re.Match[str]) -> tuple[int, str]:
    """Where a verdict begins with what denies it, and True or False; empty if that is not clear."""
    begin = max(0, verdict.start() - _REACH)
    for end in _CLAUSE_END.finditer(verdict.string, begin, verdict.start()):
        begin = end.end()
    words = list(_TOKEN.finditer(verdict.string, begin, verdict.start()))
    denials = _denials(words)
    if denials is None:
        return verdict.start(), ""
    begin = denials[-1].start() if denials else verdict.start()
    return begin, str((verdict["word"].lower() == "true") == (len(denials) % 2 == 0))


def _denials(words: list[re.Match[str]]) -> list[re.Match[str]] | None:
    """What denies a verdict that comes after these words, last one first; None if not clear."""
    denials: list[re.Match[str]] = []
    between: list[str] = []
    for word in reversed(words):
        text = word.group().lower()
        if _DOUBT.fullmatch(text):
            return None
        if not word["denial"]:
            between.insert(0, text + " ")
        elif _FILLERS.fullmatch("".join(between)):
            denials.append(word)
            between = []
        elif len(between) > _NEAR or _of_another("".join(between)):
            break
        else:
            return None
    return denials


def _of_another(between: str) -> bool:
    """Whether a denial with this between it and a verdict is of something else."""
    return bool(_COPULA.search(between)) and not _ATTITUDE.search(between)


def _question_of(record: Record) -> Record:
    return record.inner("test_example") if "test_example" in record.fields else record
