"""Whether a program passes its tests, found by querying it and judging the answers elsewhere."""

from __future__ import annotations

import contextlib
import dataclasses
import json
from collections.abc import Sequence
from typing import Any, NamedTuple

from jaxgap.tasks.programs.assertions import Assertion, AssertionForm
from jaxgap.tasks.programs.sources import bound_names, imports_of, stands_alone, used_names
from jaxgap.tasks.recent import RecentReplies
from jaxgap.tasks.sandbox import Isolation, Limits, Sandbox, SandboxPool, Session, SessionEnded

_HANDLER = "jaxgap.tasks.programs.interpreter:make_handler"


@dataclasses.dataclass(frozen=True)
class ProgramTests:
    """The tests of one programming problem.

    **Fields:**

    - `imports`: source that runs before the program.
    - `setup`: source that runs after it, in its interpreter; may be empty.
    - `judge_setup`: source that runs in the judge's interpreter.
    - `assertions`: the tests, all of which a program must satisfy.
    """

    imports: str
    setup: str
    judge_setup: str
    assertions: tuple[Assertion, ...]

    @classmethod
    def parse(cls, tests: Sequence[str], *, setup: str, reference: str) -> ProgramTests:
        """Split tests.

        **Arguments:**

        - `tests`: one or more Python assert statements.
        - `setup`: Python source that runs between program and tests, and may use the program.
        - `reference`: a Python program that passes; any program must define what it defines, and
            tests may use what it imports.

        **Raises:** `AssertionForm` if a test cannot be judged from outside.
        """
        if not tests:
            raise AssertionForm("there are no tests")
        used = frozenset().union(*map(used_names, tests))
        # A setup that uses the program's own classes can only run with the program.
        own_setup = setup if stands_alone(setup) else imports_of(setup)
        judge_setup = f"{imports_of(reference, used)}\n{own_setup}".strip()
        others = bound_names(judge_setup)
        program_names = bound_names(reference) - others
        parsed = []
        for number, test in enumerate(tests, start=1):
            try:
                parsed.append(Assertion.parse(test, program_names, others))
            except AssertionForm as error:
                raise AssertionForm(f"test {number}: {error}") from None
        return cls(imports_of(setup), setup, judge_setup, tuple(parsed))


_RAISED = "raised "
_AT_A_LIMIT = (f"{_RAISED}MemoryError", f"{_RAISED}RecursionError")


class Verdict(NamedTuple):
    """Whether a program passed, or else the first thing that went wrong."""

    passed: bool
    reason: str

    @property
    def raised(self) -> bool:
        """Whether it or a test raised an error other than those of limits on memory or depth.

        A limit that is reached here may not be reached on another machine.
        """
        return self.reason.startswith(_RAISED) and self.reason not in _AT_A_LIMIT


class _Pair(NamedTuple):
    """A container for programs, and one that no program ever enters."""

    program: Sandbox
    judge: Sandbox


class ProgramJudge:
    """Judges programs, several at a time, in containers that start when first needed.

    **Arguments:**

    - `limits`: the limits on one program with all its tests.
    - `size`: programs judged at a time; by default one per processor.
    """

    def __init__(self, limits: Limits | None = None, size: int | None = None):
        self._limits = limits or Limits()
        self._pool: SandboxPool[_Pair] = SandboxPool(self._make_pair, size)
        self._recent: RecentReplies[tuple[str, ProgramTests], Verdict] = RecentReplies()

    def judge(self, program: str, tests: ProgramTests) -> Verdict:
        """Run one program against its tests.

        **Raises:** `SandboxUnavailable` if programs cannot be run safely.
        """
        return self._pool.run(_judge, (program, tests))

    def judge_all(self, jobs: Sequence[tuple[str, ProgramTests]]) -> list[Verdict]:
        """Run many programs, each against its own tests.

        **Raises:** `SandboxUnavailable` if programs cannot be run safely.
        """
        return self._recent.ask_all(jobs, lambda unknown: self._pool.map(_judge, unknown))

    @property
    def isolation(self) -> Isolation:
        """Which walls isolate a program.

        **Raises:** `SandboxUnavailable`.
        """
        return self._pool.run(lambda pair, _: pair.program.isolation, None)

    def _make_pair(self) -> _Pair:
        return _Pair(Sandbox(_HANDLER, limits=self._limits), Sandbox(_HANDLER, limits=self._limits))


class _Failed(Exception):
    """The program failed; the message says how."""


def _judge(pair: _Pair, job: tuple[str, ProgramTests]) -> Verdict:
    program, tests = job
    try:
        with contextlib.ExitStack() as stack:
            program_session = stack.enter_context(pair.program.session())
            judge_session = stack.enter_context(pair.judge.session())
            _ask(judge_session, {"run": tests.judge_setup}, "ran")
            for source in (tests.imports, program, tests.setup):
                _ask(program_session, {"run": source}, "ran")
            for assertion in tests.assertions:
                answers = {
                    name: _ask(program_session, {"value": question}, "value")
                    for name, question in assertion.questions
                }
                _ask(judge_session, {"check": assertion.judgement, "where": answers}, "holds")
    except (_Failed, SessionEnded) as failure:
        return Verdict(False, str(failure))
    return Verdict(True, "passed")


def _ask(session: Session, request: dict[str, Any], expected: str) -> Any:
    """The requested part of a reply; only the judge's replies are trusted beyond their form."""
    try:
        reply = json.loads(session.ask(json.dumps(request).encode()))
    except (ValueError, RecursionError):
        raise _Failed("a reply that is not JSON") from None
    if not isinstance(reply, dict) or expected not in reply:
        raised = reply.get("raised") if isinstance(reply, dict) else None
        named = isinstance(raised, str) and raised.isidentifier()
        raise _Failed(f"{_RAISED}{raised}" if named else "a reply of another form")
    return reply[expected]
