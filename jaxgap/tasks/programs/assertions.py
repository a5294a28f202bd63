"""An assertion split into what the program is asked and what is judged without it.

In `assert set(f(3)) == {1, 2}` the program is asked for `f(3)`, and `set(...) == {1, 2}` is judged
elsewhere. A question is a maximal expression that begins with a name of the program's (a call, an
attribute, an item or the name itself), whatever its arguments; everything else stays in the
judgement. So an expected value is never part of a question, unless the test itself passes it to the
program.
"""

from __future__ import annotations

import ast
import builtins
import dataclasses
from typing import cast

_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


class AssertionForm(ValueError):
    """A test cannot be judged from outside the program; the message says why."""


@dataclasses.dataclass(frozen=True)
class Assertion:
    """One test in two parts.

    **Fields:**

    - `questions`: pairs of a name, which stands for the value in the judgement, and the expression
        that the program is asked to evaluate.
    - `judgement`: the assertion in terms of these names.
    """

    questions: tuple[tuple[str, str], ...]
    judgement: str

    @classmethod
    def parse(cls, test: str, program_names: frozenset[str], other_names: frozenset[str]):
        """Split a test.

        **Arguments:**

        - `test`: one Python assert statement.
        - `program_names`: what the program must define; these shadow builtins.
        - `other_names`: what the test's own setup defines. Undefined names are attributed to the
            program.

        **Raises:** `AssertionForm`.

        >>> names = frozenset(["f"]), frozenset(["math"])
        >>> assertion = Assertion.parse("assert math.floor(f([1.5])) == 1", *names)
        >>> assertion.questions, assertion.judgement
        ((('_answer_0', 'f([1.5])'),), 'assert math.floor(_answer_0) == 1')
        """
        statements = ast.parse(test).body
        if len(statements) != 1 or not isinstance(statements[0], ast.Assert):
            raise AssertionForm("must be one assert statement")
        known = (other_names | frozenset(vars(builtins))) - program_names
        splitter = _Splitter(known)
        condition = cast(ast.expr, splitter.visit(statements[0].test))
        if not splitter.questions:
            raise AssertionForm("asks the program for nothing")
        judgement = ast.Assert(condition, None)
        questions = tuple(splitter.questions.items())
        return cls(questions, ast.unparse(ast.fix_missing_locations(judgement)))


class _Splitter(ast.NodeTransformer):
    """Replaces each question by a name."""

    def __init__(self, known: frozenset[str]):
        self.questions: dict[str, str] = {}
        self._known = known

    def visit(self, node: ast.AST) -> ast.AST:
        if isinstance(node, _COMPREHENSIONS):
            # The first iterable is evaluated once, outside the comprehension.
            node.generators[0].iter = cast(ast.expr, self.visit(node.generators[0].iter))
        if isinstance(node, (*_COMPREHENSIONS, ast.Lambda)):
            if self._asks(node):
                raise AssertionForm("asks the program from within a comprehension or lambda")
            return node
        if isinstance(node, ast.expr) and self._begins_with_the_program(node):
            name = f"_answer_{len(self.questions)}"
            self.questions[name] = ast.unparse(node)
            return ast.Name(name, ast.Load())
        return self.generic_visit(node)

    def _begins_with_the_program(self, node: ast.expr) -> bool:
        while isinstance(node, ast.Call | ast.Attribute | ast.Subscript):
            node = node.func if isinstance(node, ast.Call) else node.value
        return isinstance(node, ast.Name) and node.id not in self._known | self.questions.keys()

    def _asks(self, node: ast.AST) -> bool:
        """Whether a node uses a name of the program's as a free variable."""
        names = [n for n in ast.walk(node) if isinstance(n, ast.Name)]
        bound = {n.id for n in names if isinstance(n.ctx, ast.Store)}
        bound |= {n.arg for n in ast.walk(node) if isinstance(n, ast.arg)}
        return any(n.id not in self._known | bound | self.questions.keys() for n in names)
