"""MBPP: short Python programs, judged by running them against tests.

Austin et al., arXiv:2108.07732. A record has the task in `text` (sanitized form: in `prompt`), a
reference program in `code`, assertions in `test_list` and `challenge_test_list`, and code that runs
before them in `test_setup_code` (sanitized: `test_imports`).
"""

from __future__ import annotations

import dataclasses
import itertools
import logging
import re
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path

from jaxgap.tasks.answers import after_thought
from jaxgap.tasks.file_task import AbstractFileTask, LeftOut
from jaxgap.tasks.problem import Problem
from jaxgap.tasks.programs import AssertionForm, ProgramJudge, ProgramTests, Verdict, is_python
from jaxgap.tasks.prompts import MBPP
from jaxgap.tasks.records import Record
from jaxgap.tasks.sandbox import Isolation, Limits

_logger = logging.getLogger(__name__)

MAX_PROGRAM_CHARACTERS = 100_000
"""Longer programs are graded as wrong."""

_PYTHON = ("python", "py", "python3")
# Three or more backticks or tildes on a line of their own, or after words if labelled as Python.
_MARK = r"(?:`{3,}|~{3,})"
_FENCE = re.compile(
    rf"^(?P<indent>[ \t]*)(?:(?P<words>[^`\s][^`\n]*)(?={_MARK}(?:python|py)3?[ \t]*$))?"
    rf"(?P<mark>{_MARK})(?P<info>[^`\n]*)$",
    re.MULTILINE | re.IGNORECASE,
)
_ITEM = re.compile(r"(?:[-*+]|\d{1,3}[.)])[ \t]{1,4}")
# At the end of a program's last line.
_CLOSING = re.compile(rf"(?<=[^\s`~]){_MARK}[ \t]*$", re.MULTILINE)
# The byte order mark and spaces without width, which Python does not skip.
_INVISIBLE = "\ufeff\u200b\u2060"
# A text in triple quotes.
_LONG_TEXT = re.compile(r"""(\"{3}|'{3}).*?\1""", re.DOTALL)


# Verdicts on the files' reference programs in this process, and the failures already warned of.
_references: dict[Limits, dict[tuple[str, ProgramTests], Verdict]] = {}
_warned_of: set[tuple[str, tuple[str, ProgramTests]]] = set()


@dataclasses.dataclass(frozen=True)
class ProgrammingProblem(Problem):
    """A problem whose answers are programs; its reference answer is a program that passes.

    **Fields:**

    - `tests`: what a program must satisfy.
    """

    tests: ProgramTests


class Mbpp(AbstractFileTask):
    """Programming problems from `mbpp.jsonl` or `sanitized-mbpp.json` as published.

    The prompt shows `test_list`, as is usual; a program is right if it satisfies these and
    `challenge_test_list`. A record is skipped if one of its tests cannot be judged from outside the
    program, or its reference program fails; it is kept if that program reaches a limit (on time,
    memory or depth). Programs run in a sandbox (:mod:`jaxgap.tasks.sandbox`) with only Python's
    standard library, and cannot forge a verdict (:mod:`jaxgap.tasks.programs`).

    **Arguments:**

    - `path`, `held_out_path`, `num_examples`: as for :class:`AbstractFileTask`.
    - `limits`: the limits on one program with all its tests.

    **Raises:** `InputError` for a bad file, and (a `SandboxUnavailable`) if programs cannot be run
    safely.
    """

    def __init__(
        self,
        path: str | Path,
        held_out_path: str | Path | None = None,
        *,
        num_examples: int = 0,
        limits: Limits | None = None,
    ):
        self._limits = limits or Limits()
        self._judge = ProgramJudge(self._limits)
        super().__init__(path, held_out_path, num_examples=num_examples)

    @property
    def isolation(self) -> Isolation:
        """Which walls isolate the programs.

        **Raises:** `SandboxUnavailable`.
        """
        return self._judge.isolation

    def _stated(self, records: Sequence[Record]) -> list[tuple[Record, Problem]]:
        """The records with their problems, without those whose reference program fails.

        One whose program reaches a limit is kept, so that every machine keeps the same records.
        Each program is run and warned about once per process, since every run of a bench opens the
        file.
        """
        stated = super()._stated(records)
        jobs = [(problem.answer, _tests_of(problem)) for _, problem in stated]
        known = _references.setdefault(self._limits, {})
        unknown = [job for job in dict.fromkeys(jobs) if job not in known]
        known.update(zip(unknown, self._judge.judge_all(unknown), strict=True))
        sound = []
        for (record, problem), job in zip(stated, jobs, strict=True):
            if not known[job].raised:
                sound.append((record, problem))
            elif (left_out := (record.where, job)) not in _warned_of:
                _warned_of.add(left_out)
                _logger.warning(
                    "left out: %s: its own program fails the tests: %s",
                    record.where,
                    known[job].reason,
                )
        return sound

    def _problem(self, record: Record) -> Problem:
        shown = [test.strip() for test in record.texts("test_list")]
        hidden = [test.strip() for test in record.texts("challenge_test_list", optional=True)]
        imports = record.texts("test_imports", optional=True)
        setup = "\n".join([*imports, record.optional_text("test_setup_code")]).strip()
        code = _code(record)
        sources = {"code": [code], "test_setup_code": [setup], "test_list": [*shown, *hidden]}
        for name, texts in sources.items():
            if not all(map(is_python, texts)):
                record.refuse(name, "is not Python")
        try:
            tests = ProgramTests.parse([*shown, *hidden], setup=setup, reference=code)
        except AssertionForm as error:
            raise LeftOut(f"{record.where}: {error}") from None
        text = record.text("text", "prompt").strip()
        return ProgrammingProblem(MBPP.format(text=text, tests="\n".join(shown)), code, tests)

    def _solution(self, record: Record) -> str:
        return f"```python\n{_code(record).strip()}\n```"

    def grade(self, problem: Problem, completion: str) -> bool:
        return self.grade_all([(problem, completion)])[0]

    def grade_all(self, pairs: Sequence[tuple[Problem, str]]) -> list[bool]:
        """Whether each program passes its problem's tests; each distinct one runs once."""
        distinct = dict.fromkeys((problem, program_in(text)) for problem, text in pairs)
        jobs = [(program, _tests_of(problem)) for problem, program in distinct]
        verdicts = dict(zip(distinct, self._judge.judge_all(jobs), strict=True))
        return [verdicts[problem, program_in(text)].passed for problem, text in pairs]

    def canonical_answer(self, completion: str) -> str:
        """The program without empty lines and trailing spaces, except in texts in triple quotes."""
        program = program_in(completion)
        texts = [match.group() for match in _LONG_TEXT.finditer(program)]
        code = _LONG_TEXT.sub("\0", program)  # no program holds this character
        lines = (line.rstrip() for line in code.split("\n"))
        pieces = "\n".join(line for line in lines if line).split("\0")
        return "".join(itertools.chain(*itertools.zip_longest(pieces, texts, fillvalue="")))


def program_in(completion: str) -> str:
    """The first fenced block of a completion labelled as Python, else the first unlabelled one,
    else the first of all, else the whole completion; empty if it is too long.

    >>> program_in("Here it is:\\n```python\\nx = 1\\n```\\nIt sets x.")
    'x = 1\\n'
    """
    text = after_thought(completion)
    if len(text) > MAX_PROGRAM_CHARACTERS:
        return ""
    text = text.replace("\r\n", "\n").lstrip(_INVISIBLE)
    chosen = min(_blocks(text), key=_rank, default=("", text))
    if _rank(chosen) and not is_python(textwrap.dedent(chosen[1])):
        # It may be a text that shows the program in a fence of its own.
        inner = min(_blocks(chosen[1]), key=_rank, default=chosen)
        chosen = min(chosen, inner, key=_rank)
    # `dedent` would also empty blank lines within a text in triple quotes.
    return chosen[1] if is_python(chosen[1]) else textwrap.dedent(chosen[1])


def _code(record: Record) -> str:
    """The reference program; published ones have Windows line endings."""
    return record.text("code").replace("\r\n", "\n")


def _blocks(text: str) -> Iterator[tuple[str, str]]:
    """The fenced blocks, each with the label of its fence; the last may be unclosed.

    A fence that is shorter or indented deeper than the opening one, or of the other mark, is part
    of the program, as in a docstring. One that names a language ends a block and opens the next. A
    single unlabelled fence may close a program that no fence opened.
    """
    opening = None
    fences = list(_FENCE.finditer(text))
    if len(fences) == 1 and not fences[0]["info"].strip() and _is_program(text, fences[0]):
        yield "", text[: fences[0].start()]
        return
    for fence in fences:
        if opening is not None and (fence["words"] or not _may_close(fence, opening)):
            continue
        if opening is not None:
            yield _language(opening), _until_closed(text[opening.end() + 1 : fence.start()])
        opening = fence if opening is None or _language(fence) else None
    if opening is not None:
        yield _language(opening), _until_closed(text[opening.end() + 1 :])


def _is_program(text: str, fence: re.Match[str]) -> bool:
    """Whether there is a program before a fence, which then only closes it, and none after it."""
    before, after = (
        bool(part.strip()) and is_python(textwrap.dedent(part))
        for part in (text[: fence.start()], text[fence.end() :])
    )
    return before and not after


def _until_closed(block: str) -> str:
    """A block up to a closing fence at the end of a line; all of it if it is valid Python."""
    closing = _CLOSING.search(block)
    if closing is None or is_python(textwrap.dedent(block)):
        return block
    return block[: closing.start()]


def _rank(block: tuple[str, str]) -> int:
    """The priority of a block as the program, lowest first; an empty block comes last."""
    language, text = block
    if not text.strip():
        return 3
    if language in _PYTHON:
        return 0
    return 2 if language else 1


def _may_close(fence: re.Match[str], opening: re.Match[str]) -> bool:
    return fence["mark"].startswith(opening["mark"]) and _indent(fence) <= _indent(opening)


def _indent(fence: re.Match[str]) -> int:
    """The column of a fence; in a list item, the column after its marker."""
    words = fence["words"] or ""
    return len((fence["indent"] + (words if _ITEM.fullmatch(words) else "")).expandtabs())


def _language(fence: re.Match[str]) -> str:
    words = fence["info"].casefold().split()
    return words[0].strip("{.}") if words else ""


def _tests_of(problem: Problem) -> ProgramTests:
    if not isinstance(problem, ProgrammingProblem):
        raise ValueError(f"problem must be one of this task's, got {type(problem).__name__}")
    return problem.tests
