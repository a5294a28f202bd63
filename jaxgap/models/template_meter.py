"""The budgets of a chat template's rendering, and the calls in it that count what they spend.

This module needs jinja2 (the extra `lm`).
"""

from __future__ import annotations

import dataclasses
import time
from typing import Any

from jinja2 import nodes
from jinja2.exceptions import SecurityError
from jinja2.ext import Extension
from jinja2.visitor import NodeTransformer

from jaxgap.models.template_sizes import MAX_CHARS, measure

MAX_TURNS = 200_000
MAX_MADE = 10 * MAX_CHARS


@dataclasses.dataclass
class Spent:
    """What one rendering has used of its budgets."""

    turns: int = 0
    written: int = 0
    made: int = 0
    deadline: float = float("inf")

    def add(self, *, turns: int = 0, written: int = 0, made: int = 0) -> None:
        """Count loop iterations and characters written or made; check the time."""
        self.turns += turns
        self.written += written
        self.made += made
        if self.turns > MAX_TURNS or time.thread_time() > self.deadline:
            raise SecurityError("it runs too long")
        if self.written > MAX_CHARS:
            raise SecurityError("it writes too much")
        if self.made > MAX_MADE:
            raise SecurityError("it makes too many values")


class Meter(Extension):
    """Calls that the environment inserts into a template. The environment checks the time."""

    def turn(self) -> str:
        """One more loop iteration or macro call."""
        self._spent.add(turns=1)
        return ""

    def write(self, chars: int) -> str:
        """Constant text of this many characters follows."""
        self._spent.add(written=chars)
        return ""

    def compare(self) -> str:
        """Values are about to be compared."""
        return ""

    def concat(self, *values: Any) -> str:
        """The value of `a ~ b`, measured before it is made."""
        measure(values)
        return "".join(map(str, values))

    def display(self, value: Any) -> Any:
        """The value of `[a, b]`, `(a, b)` or `{a: b}`, measured like any call."""
        return value

    def cut(self, value: Any, start: Any, stop: Any, step: Any) -> Any:
        """The value of `a[1:]`, measured by the environment like any call."""
        return value[start:stop:step]

    @property
    def _spent(self) -> Spent:
        return self.environment.spent  # pyright: ignore[reportAttributeAccessIssue]


class Instrumenter(NodeTransformer):
    """Inserts the meter's calls into the syntax tree of a template."""

    def __init__(self, meter: Any):
        self.meter = meter

    def visit_For(self, node: nodes.For) -> nodes.For:
        return self._metered(node)

    def visit_Macro(self, node: nodes.Macro) -> list[nodes.Node]:
        return [self._turn(node), self._metered(node)]

    def visit_CallBlock(self, node: nodes.CallBlock) -> list[nodes.Node]:
        return [self._turn(node), self._metered(node)]

    def visit_Output(self, node: nodes.Output) -> nodes.Output:
        self.generic_visit(node)
        chars = sum(len(part.data) for part in node.nodes if isinstance(part, nodes.TemplateData))
        if chars:
            write = self.meter.call_method("write", [nodes.Const(chars)], lineno=node.lineno)
            node.nodes.insert(0, write)
        return node

    def visit_Compare(self, node: nodes.Compare) -> nodes.Node:
        self.generic_visit(node)
        compare = self.meter.call_method("compare", lineno=node.lineno)
        return nodes.And(nodes.Not(compare, lineno=node.lineno), node, lineno=node.lineno)

    def visit_List(self, node: nodes.List) -> nodes.Node:
        return self._displayed(node)

    def visit_Dict(self, node: nodes.Dict) -> nodes.Node:
        return self._displayed(node)

    def visit_Tuple(self, node: nodes.Tuple) -> nodes.Node:
        return self._displayed(node) if node.ctx == "load" else node

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:
        self.generic_visit(node)
        return self.meter.call_method("concat", node.nodes, lineno=node.lineno)

    def visit_Getitem(self, node: nodes.Getitem) -> nodes.Node:
        self.generic_visit(node)
        if not isinstance(node.arg, nodes.Slice):
            return node
        ends = [node.arg.start, node.arg.stop, node.arg.step]
        arguments = [node.node, *(nodes.Const(None) if end is None else end for end in ends)]
        return self.meter.call_method("cut", arguments, lineno=node.lineno)

    def _displayed(self, node: Any) -> nodes.Node:
        self.generic_visit(node)
        return self.meter.call_method("display", [node], lineno=node.lineno)

    def _turn(self, node: nodes.Node) -> nodes.ExprStmt:
        turn = self.meter.call_method("turn", lineno=node.lineno)
        return nodes.ExprStmt(turn, lineno=node.lineno)

    def _metered(self, node: Any) -> Any:
        self.generic_visit(node)
        turn = self._turn(node)
        node.body.insert(0, turn)
        # `{% for ... if ... %}` skips the body if the test fails; that iteration counts as well.
        if getattr(node, "test", None) is not None:
            node.test = nodes.And(nodes.Not(turn.node, lineno=node.lineno), node.test)
        return node
