"""Jinja's immutable sandbox with budgets, so that a hostile template ends and stays small.

Every loop body and macro is given a call that counts turns and looks at the clock; every value
made by an operator, a call or a filter, and every piece of output, is measured before or as it is
made. This module needs jinja2 (the extra `lm`).
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import time
from collections.abc import Iterator
from typing import Any

from jinja2 import nodes
from jinja2.exceptions import SecurityError
from jinja2.ext import Extension, LoopControlExtension
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.visitor import NodeTransformer

MAX_TURNS = 200_000
MAX_CHARS = 4_000_000
MAX_SECONDS = 10.0
_MAX_INT_ARGUMENT = 10_000
_MAX_BITS = 256

_FILTERS = frozenset(
    """abs capitalize count d default dictsort e escape first float indent int items join last
    length list lower map max min reject rejectattr replace reverse round safe select selectattr
    sort string sum title trim unique upper""".split()  # noqa: SIM905
)
_STRING_METHODS = frozenset(
    """capitalize count endswith find index isalnum isalpha isdigit islower isspace isupper join
    lower lstrip partition removeprefix removesuffix replace rfind rindex rpartition rsplit rstrip
    split splitlines startswith strip title upper""".split()  # noqa: SIM905
)


@dataclasses.dataclass
class _Spent:
    turns: int = 0
    chars: int = 0
    deadline: float = float("inf")


class _Meter(Extension):
    """Calls that the environment plants into a template."""

    def turn(self) -> str:
        """One more turn of a loop, or call of a macro."""
        spent = self.environment.spent  # pyright: ignore[reportAttributeAccessIssue]
        spent.turns += 1
        if spent.turns > MAX_TURNS or time.thread_time() > spent.deadline:
            raise SecurityError("it runs too long")
        return ""

    def concat(self, *values: Any) -> str:
        """What `a ~ b` means, measured before it is made."""
        _measure(values)
        return "".join(map(str, values))


class _Generation(Extension):
    """`{% generation %}`, with which templates mark the assistant's words: the words alone."""

    tags = {"generation"}  # noqa: RUF012 - as Jinja declares it

    def parse(self, parser):
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


class _Plant(NodeTransformer):
    def __init__(self, meter: Any):
        self.meter = meter

    def visit_For(self, node: nodes.For) -> nodes.For:
        return self._metered(node)

    def visit_Macro(self, node: nodes.Macro) -> nodes.Macro:
        return self._metered(node)

    def visit_CallBlock(self, node: nodes.CallBlock) -> nodes.CallBlock:
        return self._metered(node)

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:
        self.generic_visit(node)
        return self.meter.call_method("concat", node.nodes, lineno=node.lineno)

    def _metered(self, node: Any) -> Any:
        self.generic_visit(node)
        turn = self.meter.call_method("turn", lineno=node.lineno)
        node.body.insert(0, nodes.ExprStmt(turn, lineno=node.lineno))
        # The body of `{% for ... if ... %}` is skipped where the test fails: it counts as well.
        if getattr(node, "test", None) is not None:
            node.test = nodes.And(nodes.Not(turn, lineno=node.lineno), node.test)
        return node


class TemplateSandbox(ImmutableSandboxedEnvironment):
    """The environment that chat templates run in."""

    intercepted_binops = frozenset(["*", "**", "%", "+"])

    def __init__(self):
        super().__init__(
            trim_blocks=True,
            lstrip_blocks=True,
            optimized=False,
            extensions=[LoopControlExtension, _Generation, _Meter],
            finalize=self._emit,
        )
        self.spent = _Spent()
        self.filters = {name: measured_filter(self.filters[name]) for name in _FILTERS}
        self.globals = {name: self.globals[name] for name in ("range", "namespace", "dict")}

    @contextlib.contextmanager
    def budget(self) -> Iterator[None]:
        """A fresh budget for one rendering."""
        self.spent = _Spent(deadline=time.thread_time() + MAX_SECONDS)
        yield

    def _parse(self, source, name, filename):
        tree = super()._parse(source, name, filename)
        return _Plant(self.extensions[_Meter.identifier]).visit(tree)

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        if isinstance(obj, str) and attr not in _STRING_METHODS:
            return False
        # Templates have no use for those of numbers and bytes, of which some make long values.
        if isinstance(obj, (int, float, complex, bytes, bytearray)):
            return False
        return super().is_safe_attribute(obj, attr, value)

    def call(self, context, obj, *args, **kwargs):
        owner = getattr(obj, "__self__", None)
        if isinstance(owner, str):
            if obj.__name__ == "join" and args:
                args = (_listed(args[0]), *args[1:])
                _check_growth("join", args[0], [owner])
            _check_growth(obj.__name__, owner, args)
        result = super().call(context, obj, *args, **kwargs)
        _measure(result)
        return result

    def call_binop(self, context, operator, left, right):
        if operator == "+":
            _measure((left, right))
        elif isinstance(left, str) and operator == "%":
            raise SecurityError("it formats with %, which is not supported")
        elif not all(_is_small_number(side) for side in (left, right)):
            _check_product(operator, left, right)
        elif operator == "**" and abs(right) > _MAX_BITS:
            raise SecurityError("it makes a number that is too large")
        return super().call_binop(context, operator, left, right)

    def _emit(self, value: Any) -> Any:
        self.spent.chars += _measure(value)
        if self.spent.chars > MAX_CHARS:
            raise SecurityError("it writes too much")
        return value


def measured_filter(function: Any) -> Any:
    """A filter that measures what it is given and what it makes."""

    @functools.wraps(function)
    def measured(*args: Any, **kwargs: Any) -> Any:
        args = tuple(_listed(each) if isinstance(each, Iterator) else each for each in args)
        given = [*args, *kwargs.values()]
        _measure([value for value in given if isinstance(value, (str, list, tuple, dict))])
        if any(isinstance(value, int) and value > _MAX_INT_ARGUMENT for value in given[1:]):
            raise SecurityError("it passes a filter a number that is too large")
        _check_growth(function.__name__.removeprefix("do_"), *_text_first(given))
        result = function(*args, **kwargs)
        if isinstance(result, (str, list, tuple, dict)):
            _measure(result)
        return result

    return measured


def _listed(values: Any) -> list[Any]:
    """The values as a list, measured as it is made."""
    listed, total = [], 0
    for value in values:
        total += 1 + _measure(value)
        if total > MAX_CHARS:
            raise SecurityError("it makes a value that is too large")
        listed.append(value)
    return listed


def _text_first(given: list[Any]) -> tuple[Any, list[Any]]:
    """The filtered value and its arguments, after the context that some filters are passed."""
    start = next((i for i, value in enumerate(given) if isinstance(value, (str, list))), 0)
    return (given[start] if given else ""), given[start + 1 :]


def _check_growth(name: str, value: Any, args: Any) -> None:
    """Refuse what would multiply lengths, before it does."""
    texts = [argument for argument in args if isinstance(argument, str)]
    if name == "replace" and isinstance(value, str) and texts:
        times = value.count(texts[0]) if texts[0] else len(value) + 1
        if len(value) + times * len(texts[-1]) > MAX_CHARS:
            raise SecurityError("it makes a value that is too large")
    if name in ("join", "indent") and value:
        pieces = value.count("\n") + 1 if name == "indent" else len(value)
        ints = [argument for argument in args if type(argument) is int]
        if pieces * max([1, *ints, *map(len, texts)]) > MAX_CHARS:
            raise SecurityError("it makes a value that is too large")


def _check_product(operator: str, left: Any, right: Any) -> None:
    sides = [side if isinstance(side, int) else _measure(side) for side in (left, right)]
    if operator != "*" or sides[0] * sides[1] > MAX_CHARS:
        raise SecurityError("it makes a value that is too large")


def _is_small_number(value: Any) -> bool:
    return isinstance(value, float) or (isinstance(value, int) and value.bit_length() <= _MAX_BITS)


def _measure(value: Any) -> int:
    """About how many characters a value is as text; refuses more than `MAX_CHARS`."""
    total, waiting = 0, [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            waiting += [*item.keys(), *item.values()]
        elif isinstance(item, (list, tuple)):
            waiting += item
        total += len(item) if isinstance(item, str) else 1
        if total + len(waiting) > MAX_CHARS:
            raise SecurityError("it makes a value that is too large")
    return total
