"""MATH: competition problems whose answers are mathematical expressions.

Hendrycks et al., arXiv:2103.03874. A record has `problem`, `solution` (answer in `\\boxed{...}`),
`level` and `type`. MATH-500 (Lightman et al., arXiv:2305.20050) adds `answer`. Other sets of
competition problems have only `answer`, some as a number.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path

from jaxgap.tasks.answers import boxed, enclosed_answer, final_answer, without_text_commands
from jaxgap.tasks.file_task import AbstractFileTask
from jaxgap.tasks.numbers import POWERS, SCALES, between_thousands, canonical_text
from jaxgap.tasks.problem import Problem
from jaxgap.tasks.prompts import MATH
from jaxgap.tasks.records import Record
from jaxgap.tasks.sandbox import Isolation, Limits
from jaxgap.tasks.sandboxed_grader import SandboxedGrader, require

MAX_ANSWER_CHARACTERS = 2_000
"""Longer final answers are graded as wrong."""

_PERCENT = re.compile(r"\s*\\?%$")
_DEGREES = re.compile(r"\^\{°\}|\^?°")
# Not after a base or an exponent: the 2 of `\log_2 1/2` and `x^2 1/2` is not a whole part.
_MIXED = re.compile(
    r"(?<![\w.^/])(?P<whole>\d{1,3}(?:,\d{3})+|\d+)(?:\s|\\[ ,;])+"
    r"(?P<top>\d+)/(?P<bottom>\d+)(?![\d/^!]|\.\d)"
)
# math-verify drops words after a number.
_SCALED = re.compile(
    r"(?P<number>(?<![\d,.])\d{1,3}(?:,\d{3})+(?:\.\d+)?|(?<=[\d}]))(?:\s|\\[ ,;])*"
    r"(?P<text>\\(?:text|textrm|mathrm|mbox)\{\s*)?"
    rf"(?P<scale>{SCALES})s?(?![A-Za-z-])",
    re.IGNORECASE,
)
# It also drops a relation that nothing precedes: those answers are bounds, not numbers.
_BOUNDS = {
    ">=": re.compile(r"\A(?:\\geq?(?:slant)?(?![a-z])|≥|>=)|\bor (?:more|greater)\b"),
    "<=": re.compile(r"\A(?:\\leq?(?:slant)?(?![a-z])|≤|<=)|\bor (?:less|fewer)\b"),
    ">": re.compile(r"\A(?:\\gt(?![a-z])|>)"),
    # Not where it opens a vector, <1, 2>.
    "<": re.compile(r"\A(?:\\lt(?![a-z])|<(?!.*>))"),
    "!=": re.compile(r"\A(?:\\neq?(?![a-z])|≠|!=)"),
}
_FULL_STOP = re.compile(r"(?<=[\d})])\.$")
_BASED = re.compile(r"(?P<digits>\d[\dA-Z]*)\s?_\s?(?P<brace>\{)?(?P<base>\d{1,2})(?(brace)\})")
# A formula or a number among words that are known not to change its meaning. A formula begins like
# an answer, not with an operator or a relation.
_FILLER = r"(?i:there|is|are|the|so|we|get|have|a total of|equal to)"
_UNIT = (
    r"(?:dollars?|cents?|degrees?|(?:square |cubic )?(?:units?|inch(?:es)?|foot|feet|yards?|miles?"
    r"|cm|km|m|(?:centi|kilo)?meters?)|hours?|minutes?|seconds?|days?|weeks?|months?|years?|ways?"
    r"|points?|solutions?|people|students?)"
)
_BEGINNING = (
    r"-?(?:[A-Za-z\d(\[|.{]|\\\{|\\(?:[dt]?frac|sqrt|pi|left|begin|infty|binom|text)(?![a-z]))"
)
_IN_A_LINE = re.compile(
    rf"(?:{_FILLER}[,:]?[ ]+)*:?[ ]*"
    rf"(?:\$(?P<formula>(?={_BEGINNING})[^\s$](?:[^$]*[^\s\\$])?)\$"
    rf"|\\?\$?(?P<number>-?\d[\d,]*(?:\.\d+)?(?:[ ](?:{SCALES}))?))"
    rf"(?:[ ]+{_UNIT})?\.?",
    re.ASCII,
)
_WORDS = re.compile(r"[^\W\d_]{3,}(?:[ '-][^\W\d_]+)*")

LIMITS = Limits(wall_seconds=10, cpu_seconds=10, memory_mebibytes=1024, reply_bytes=64 * 1024)
"""The default limits on comparing one answer."""


class MathProblems(AbstractFileTask):
    """Competition problems from JSON lines, or the published folder of JSON files.

    A completion is right if its final answer is mathematically equal to the reference according to
    math-verify (extra `tasks`), which runs in a sandbox.

    **Arguments:**

    - `path`, `held_out_path`, `num_examples`: as for :class:`AbstractFileTask`.
    - `limits`: the limits on comparing one answer.

    **Raises:** `InputError` for a bad file, without the extra, and when grading (a
    `SandboxUnavailable`) if the sandbox cannot be set up.
    """

    def __init__(
        self,
        path: str | Path,
        held_out_path: str | Path | None = None,
        *,
        num_examples: int = 0,
        limits: Limits = LIMITS,
    ):
        require("math_verify", "MATH problems")
        self._grader = SandboxedGrader(
            "jaxgap.tasks.math_grader:make_handler",
            packages=("math_verify", "latex2sympy2_extended", "sympy", "mpmath", "antlr4"),
            limits=limits,
        )
        super().__init__(path, held_out_path, num_examples=num_examples)

    @property
    def isolation(self) -> Isolation:
        """Which walls isolate the grader.

        **Raises:** `SandboxUnavailable`.
        """
        return self._grader.isolation

    def _problem(self, record: Record) -> Problem:
        problem = MATH.format(problem=record.text("problem").strip())
        if "answer" in record.fields:
            return Problem(problem, record.stated("answer").strip())
        answer = boxed(record.text("solution"))
        if not answer:
            record.refuse("solution", "must have its answer in \\boxed{...}")
        return Problem(problem, answer.strip())

    def _solution(self, record: Record) -> str:
        if "solution" in record.fields:
            return record.text("solution")
        return f"\\boxed{{{record.stated('answer').strip()}}}"

    def grade(self, problem: Problem, completion: str) -> bool:
        return self.grade_all([(problem, completion)])[0]

    def grade_all(self, pairs: Sequence[tuple[Problem, str]]) -> list[bool]:
        """Whether each final answer equals its reference; each distinct pair is compared once."""
        answers = [(_normal(problem.answer), _final(completion)) for problem, completion in pairs]
        unequal = list(dict.fromkeys(pair for pair in answers if not _same_text(*pair)))
        # math-verify ignores bases and bounds.
        asked = [
            (reference, answer)
            for reference, answer in unequal
            if answer
            and not (_BASED.fullmatch(reference) and _BASED.fullmatch(answer))
            and _bound(reference) == _bound(answer)
        ]
        requests = [json.dumps({"equal": pair}).encode() for pair in asked]
        equal = dict(zip(asked, self._grader.ask_all(requests), strict=True))
        return [_same_text(*pair) or equal.get(pair) is True for pair in answers]

    def canonical_answer(self, completion: str) -> str:
        return self.canonical_answers([completion])[0]

    def canonical_answers(self, completions: Sequence[str]) -> list[str]:
        """Each final answer in SymPy's form, or unchanged if it cannot be parsed.

        A percentage stays one, since it may equal either its number or the fraction. `x = 5` is 5,
        whatever the name: of answers in the same form, only those that name different variables are
        graded differently, by a reference that names one.
        """
        finals = [_final(completion) for completion in completions]
        answers = [_PERCENT.sub("", final) for final in finals]
        signs = ["%" if _PERCENT.search(final) else "" for final in finals]
        distinct = [
            answer
            for answer in dict.fromkeys(answers)
            if not (_WORDS.fullmatch(answer) or _BASED.fullmatch(answer))
        ]
        requests = [json.dumps({"canonical": answer}).encode() for answer in distinct]
        written = dict(zip(distinct, self._grader.ask_all(requests), strict=True))
        replies = (written.get(answer) for answer in answers)
        return [
            _bound(answer) + (reply if isinstance(reply, str) else _canonical(answer)) + sign
            for answer, reply, sign in zip(answers, replies, signs, strict=True)
        ]


def _final(completion: str) -> str:
    answer = final_answer(completion)
    if len(answer) > MAX_ANSWER_CHARACTERS:
        return ""
    return _in_words(_normal(answer if enclosed_answer(completion) else _only_formula(answer)))


def _only_formula(line: str) -> str:
    """The formula or number of a line that is otherwise only words known not to change it."""
    only = _IN_A_LINE.fullmatch(line)
    return only["formula"] or only["number"] if only else line


def _normal(answer: str) -> str:
    """An answer without what confuses math-verify."""
    answer = _DEGREES.sub(r"^{\\circ}", answer).replace(r"\varnothing", r"\emptyset")
    answer = _FULL_STOP.sub("", between_thousands("", answer))
    answer = _SCALED.sub(_in_full, _MIXED.sub(_as_latex, answer))
    based = _BASED.fullmatch(answer)
    return f"{based['digits']}_{based['base']}" if based else answer


def _as_latex(mixed: re.Match[str]) -> str:
    """`2\\frac{1}{2}` for "2 1/2", which math-verify reads as 3/2."""
    return f"{mixed['whole'].replace(',', '')}\\frac{{{mixed['top']}}}{{{mixed['bottom']}}}"


def _in_full(scaled: re.Match[str]) -> str:
    r"""`2\cdot10^{6}` for `2\text{ million}`."""
    power = POWERS[scaled["scale"].lower()]
    text = r"\text{" if scaled["text"] else ""
    return f"{scaled['number'].replace(',', '')}\\cdot10^{{{power}}}{text}"


def _bound(answer: str) -> str:
    """The relation of an answer that is only a bound, such as `\\ge 6`; empty for others."""
    return next((sign for sign, words in _BOUNDS.items() if words.search(answer)), "")


def _in_words(answer: str) -> str:
    """An answer in words without anything else; other answers unchanged."""
    words = without_text_commands(answer)
    return words if _WORDS.fullmatch(words) else answer


def _same_text(reference: str, answer: str) -> bool:
    return bool(answer) and _canonical(_in_words(reference)) == _canonical(answer)


def _canonical(answer: str) -> str:
    """Words in lower case; in formulas `R` and `r` differ, unless math-verify compares them."""
    return canonical_text(answer, keep_case=not _WORDS.fullmatch(answer))
