"""Programs written by a model, judged without trusting them.

A test of MBPP is an assertion, `assert f(3) == [1, 2]`. Run in the program's own interpreter it is
worthless: the program can end the process, override the comparison, or look for the expected value
in memory. So the work is split between two interpreters in two containers:

- the *program's* interpreter runs the program and is asked for the value of `f(3)`. It never sees
  an expected value, an assertion, or a verdict;
- the *judge's* interpreter never sees the program. It receives that value as plain data, validated
  and rebuilt, and evaluates the assertion.

Whatever the program does to its own interpreter, only one value per question leaves it, which is
what any function returns. It passes only if these values satisfy every assertion.

    assertions.py    splits an assertion into questions and a judgement
    sources.py       what a source binds, imports and needs
    plain_values.py  values as JSON and back: only built-in types, no code
    interpreter.py   what runs in both containers
    judge.py         passes the program's answers to the judge
"""

from jaxgap.tasks.programs.assertions import Assertion, AssertionForm
from jaxgap.tasks.programs.judge import ProgramJudge, ProgramTests, Verdict
from jaxgap.tasks.programs.sources import is_python

__all__ = ["Assertion", "AssertionForm", "ProgramJudge", "ProgramTests", "Verdict", "is_python"]
