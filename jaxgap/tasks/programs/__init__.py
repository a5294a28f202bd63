"""Programs that a model wrote, judged without trusting them.

A test of MBPP is an assertion, `assert f(3) == [1, 2]`. Run in the program's own interpreter it is
worth nothing: the program can end the process, replace what compares, or look for the expected
value in memory. So two interpreters, in two containers, share the work:

- the *program's* knows the program and is asked for the value of `f(3)`. It never holds an expected
  value, an assertion, or a verdict;
- the *judge's* never sees the program. It is given that value as plain data, checked and built
  anew, and evaluates the assertion.

Whatever the program does to its own interpreter, all that leaves it is one value for each question,
which is all that a function may give. It passes only if these values satisfy every assertion.

    assertions.py    takes an assertion apart into questions and a judgement
    sources.py       what a source binds, imports and needs
    plain_values.py  values as JSON and back: only built-in types, no code
    interpreter.py   what runs in both containers
    judge.py         asks the one and tells the other
"""

from jaxgap.tasks.programs.assertions import Assertion, AssertionForm
from jaxgap.tasks.programs.judge import ProgramJudge, ProgramTests, Verdict
from jaxgap.tasks.programs.sources import is_python

__all__ = ["Assertion", "AssertionForm", "ProgramJudge", "ProgramTests", "Verdict", "is_python"]
