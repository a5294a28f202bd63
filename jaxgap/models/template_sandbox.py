"""Jinja's immutable sandbox with budgets, so that hostile templates end and use little memory.

Every loop body, macro, comparison and piece of constant text is instrumented with a call that
counts it and checks the time; every value made by a display such as `[a, b]`, an operator, a slice,
a call or a filter, and every piece of output, is measured before or while it is made, and counted.
This module needs jinja2 (the extra `lm`).
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import json
import time
from collections.abc import Iterator
from typing import Any

from jinja2 import nodes, pass_context
from jinja2.exceptions import SecurityError
from jinja2.ext import Extension, LoopControlExtension
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import Namespace
from jinja2.visitor import NodeTransformer

MAX_TURNS = 200_000
MAX_CHARS = 4_000_000
MAX_MADE = 10 * MAX_CHARS
MAX_SECONDS = 10.0
_MAX_INT_ARGUMENT = 10_000
_MAX_BITS = 256
_MAX_POWER_BITS = _MAX_BITS**2  # of the largest power that is allowed
_MAX_INDENT = 16
_MAX_SEPARATOR = 8
_CHARS_A_MEMBER = 32  # of memory, for each member of a new list
_COLLECTIONS = (list, tuple, type({}.keys()), type({}.values()), type({}.items()))

_FILTERS = frozenset(
    """abs capitalize count d default dictsort e escape first float indent int items join last
    length list lower map max min reject rejectattr replace reverse round safe select selectattr
    sort string sum title trim unique upper""".split()  # noqa: SIM905
)
_LISTING = ("join", "list", "sort")  # filters that make a list of a string's characters
_STRING_METHODS = frozenset(
    """capitalize count endswith find index isalnum isalpha isdigit islower isspace isupper join
    lower lstrip partition removeprefix removesuffix replace rfind rindex rpartition rsplit rstrip
    split splitlines startswith strip title upper""".split()  # noqa: SIM905
)


@dataclasses.dataclass
class _Spent:
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


class _Meter(Extension):
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
        _measure(values)
        return "".join(map(str, values))

    def display(self, value: Any) -> Any:
        """The value of `[a, b]`, `(a, b)` or `{a: b}`, measured like any call."""
        return value

    def cut(self, value: Any, start: Any, stop: Any, step: Any) -> Any:
        """The value of `a[1:]`, measured by the environment like any call."""
        return value[start:stop:step]

    @property
    def _spent(self) -> _Spent:
        return self.environment.spent  # pyright: ignore[reportAttributeAccessIssue]


class _Generation(Extension):
    """`{% generation %}`, with which templates mark the assistant's text; renders its content."""

    tags = {"generation"}  # noqa: RUF012 - as Jinja declares it

    def parse(self, parser):
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


class _Plant(NodeTransformer):
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
        filters = {name: self.filters[name] for name in _FILTERS} | {"tojson": _to_json}
        self.filters = {name: self._measured(name, each) for name, each in filters.items()}
        self.tests = {name: self._timed(function) for name, function in self.tests.items()}
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
        # Templates do not need methods of numbers and bytes, some of which make long values.
        if isinstance(obj, (int, float, complex, bytes, bytearray)):
            return False
        return super().is_safe_attribute(obj, attr, value)

    def wrap_str_format(self, value: Any) -> None:
        """Jinja would allow `format` and `format_map`, whose `{:>9999999999}` makes long values."""
        return

    def getitem(self, obj, argument):
        _measure(argument)  # the message of a failed look-up contains it
        return super().getitem(obj, argument)

    def call(self, context, obj, *args, **kwargs):
        given = [*args, *kwargs.values()]
        _measure(given)
        self.spent.add(made=_CHARS_A_MEMBER * len(given))  # a macro may keep them as lists
        owner = getattr(obj, "__self__", None)
        if isinstance(owner, str):
            if obj.__name__ == "join" and args:
                args = (self._listed(args[0]), *args[1:])
                _check_join(args[0], owner)
            if obj.__name__ == "replace":
                _check_replace(owner, *args)
        return self._counted(super().call(context, obj, *args, **kwargs))

    def call_binop(self, context, operator, left, right):
        if operator == "+":
            _measure((left, right))
        elif isinstance(left, str) and operator == "%":
            raise SecurityError("it formats with %, which is not supported")
        elif not all(_is_small_number(side) for side in (left, right)):
            _check_product(operator, left, right)
        elif operator == "**" and abs(right) > _MAX_BITS:
            raise SecurityError("it makes a number that is too large")
        return self._counted(super().call_binop(context, operator, left, right))

    # A finalizer that takes the context is not called at compile time, where the output of
    # constants would be folded in uncounted.
    @pass_context
    def _emit(self, context: Any, value: Any) -> Any:
        self.spent.add(written=_measure(value))
        return value

    def _measured(self, name: str, function: Any) -> Any:
        """The filter, with its arguments and result measured."""
        first = int(hasattr(function, "jinja_pass_arg"))  # after the context, if it takes one

        @functools.wraps(function)
        def measured(*args: Any, **kwargs: Any) -> Any:
            args = tuple(self._listed(arg) if isinstance(arg, Iterator) else arg for arg in args)
            if name in _LISTING and isinstance(args[first], str):
                args = (*args[:first], self._listed(args[first]), *args[first + 1 :])
            given = [*args, *kwargs.values()]
            _measure(given)
            numbers = [value for value in given[first + 1 :] if isinstance(value, int)]
            if any(abs(number) > _MAX_INT_ARGUMENT for number in numbers):
                raise SecurityError("it passes a filter a number that is too large")
            if name in _GROWING:
                _GROWING[name](*args[first:], **kwargs)
            made = function(*args, **kwargs)
            return self._each_counted(made) if isinstance(made, Iterator) else self._counted(made)

        return measured

    def _timed(self, function: Any) -> Any:
        """The test, with the time checked."""

        @functools.wraps(function)
        def timed(*args: Any, **kwargs: Any) -> Any:
            self.spent.add()
            return function(*args, **kwargs)

        return timed

    def _each_counted(self, values: Iterator[Any]) -> Iterator[Any]:
        """The values, each counted as it is made."""
        for value in values:
            self.spent.add(made=_CHARS_A_MEMBER)
            yield value

    def _counted(self, value: Any) -> Any:
        """A new value, measured and counted."""
        if isinstance(value, int) and value.bit_length() > _MAX_POWER_BITS:
            raise SecurityError("it makes a number that is too large")
        num_members = len(value) if isinstance(value, (list, tuple, dict)) else 0
        self.spent.add(made=_measure(value) + _CHARS_A_MEMBER * num_members)
        return value

    def _listed(self, values: Any) -> list[Any]:
        """The values as a list, measured while it is made."""
        listed, total = [], 0
        for value in values:
            size = 1 + _measure(value)
            total += size
            if total > MAX_CHARS:
                raise SecurityError("it makes a value that is too large")
            self.spent.add(made=size + _CHARS_A_MEMBER)
            listed.append(value)
        return listed


def _to_json(
    value: Any,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    """JSON without the HTML escapes of Jinja's own filter, as in transformers."""
    if indent is not None and not (isinstance(indent, int) and 0 <= indent <= _MAX_INDENT):
        raise SecurityError(f"it has tojson indent by other than 0 to {_MAX_INDENT} spaces")
    between = (", ", ": ") if separators is None else separators
    if any(len(separator) > _MAX_SEPARATOR for separator in between):
        raise SecurityError("it has tojson separate values by too long a text")
    _check_json(value, indent or 0, max(map(len, between)))
    return json.dumps(
        value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys
    )


def _check_replace(text: Any, old: Any, new: Any, count: Any = None) -> None:
    """Refuse in advance what would multiply lengths, as do the next two."""
    text, old = str(text), str(old)
    times = text.count(old) if old else len(text) + 1
    _check_size(len(text) + times * len(str(new)))


def _check_join(values: Any, d: Any = "", attribute: Any = None) -> None:
    _check_size(len(list(values)) * max(1, len(str(d))))


def _check_indent(text: Any, width: Any = 4, first: Any = False, blank: Any = False) -> None:
    each = width if isinstance(width, int) else len(str(width))
    _check_size(len(str(text).splitlines()) * each)


def _check_sum(values: Any, attribute: Any = None, start: Any = 0) -> None:
    if isinstance(start, (list, tuple)):
        raise SecurityError("it sums up what are no numbers")  # a new list for each of many


# With the arguments of the filters.
_GROWING = {
    "replace": _check_replace,
    "join": _check_join,
    "indent": _check_indent,
    "sum": _check_sum,
}


def _check_size(chars: int) -> None:
    if chars > MAX_CHARS:
        raise SecurityError("it makes a value that is too large")


def _check_product(operator: str, left: Any, right: Any) -> None:
    sides = [side if isinstance(side, int) else _measure(side) for side in (left, right)]
    if operator != "*" or sides[0] * sides[1] > MAX_CHARS:
        raise SecurityError("it makes a value that is too large")


def _check_json(value: Any, indent: int, separator: int) -> None:
    """Refuse a measured value whose JSON takes too much besides its strings."""
    level, depth, total = [value], 0, 0
    while level:
        total += len(level) * (depth * indent + separator)
        if total > MAX_CHARS:
            raise SecurityError("it makes a value that is too large")
        level = [member for item in level for member in _members(item)]
        depth += 1


def _is_small_number(value: Any) -> bool:
    return isinstance(value, float) or (isinstance(value, int) and value.bit_length() <= _MAX_BITS)


def _measure(value: Any) -> int:
    """The approximate number of characters of a value as text; refuses more than `MAX_CHARS`."""
    total, waiting = 0, [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, str):
            total += len(item)
        else:
            total += 1
            waiting += _members(item)
        if total + len(waiting) > MAX_CHARS:
            raise SecurityError("it makes a value that is too large")
    return total


def _members(value: Any) -> Any:
    """The values that a value contains and is written with."""
    if isinstance(value, Namespace):
        value = object.__getattribute__(value, "_Namespace__attrs")
    if isinstance(value, dict):
        return [*value.keys(), *value.values()]
    return value if isinstance(value, _COLLECTIONS) else ()
