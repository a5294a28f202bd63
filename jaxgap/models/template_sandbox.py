"""Jinja's immutable sandbox with budgets, so that hostile templates end and use little memory.

Every loop body, macro, comparison and piece of constant text is instrumented with a call that
counts it and checks the time (`template_meter.py`); every value made by a display such as `[a, b]`,
an operator, a slice, a call or a filter, and every piece of output, is measured before or while it
is made (`template_sizes.py`), and counted.
This module needs jinja2 (the extra `lm`).
"""

from __future__ import annotations

import contextlib
import functools
import time
from collections.abc import Iterator
from typing import Any

from jinja2 import pass_context
from jinja2.exceptions import SecurityError
from jinja2.ext import Extension, LoopControlExtension
from jinja2.sandbox import ImmutableSandboxedEnvironment

from jaxgap.models.template_meter import Instrumenter, Meter, Spent
from jaxgap.models.template_sizes import (
    GROWING,
    MAX_BITS,
    MAX_POWER_BITS,
    check_join,
    check_product,
    check_replace,
    check_size,
    is_small_number,
    measure,
    to_json,
)

MAX_SECONDS = 10.0
_MAX_INT_ARGUMENT = 10_000
_CHARS_A_MEMBER = 32  # of memory, for each member of a new list

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


class _Generation(Extension):
    """`{% generation %}`, with which templates mark the assistant's text; renders its content."""

    tags = {"generation"}  # noqa: RUF012 - as Jinja declares it

    def parse(self, parser):
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


class TemplateSandbox(ImmutableSandboxedEnvironment):
    """The environment that chat templates run in."""

    intercepted_binops = frozenset(["*", "**", "%", "+"])

    def __init__(self):
        super().__init__(
            trim_blocks=True,
            lstrip_blocks=True,
            optimized=False,
            extensions=[LoopControlExtension, _Generation, Meter],
            finalize=self._emit,
        )
        self.spent = Spent()
        filters = {name: self.filters[name] for name in _FILTERS} | {"tojson": to_json}
        self.filters = {name: self._measured(name, each) for name, each in filters.items()}
        self.tests = {name: self._timed(function) for name, function in self.tests.items()}
        self.globals = {name: self.globals[name] for name in ("range", "namespace", "dict")}

    @contextlib.contextmanager
    def budget(self) -> Iterator[None]:
        """A fresh budget for one rendering."""
        self.spent = Spent(deadline=time.thread_time() + MAX_SECONDS)
        yield

    def _parse(self, source, name, filename):
        tree = super()._parse(source, name, filename)
        return Instrumenter(self.extensions[Meter.identifier]).visit(tree)

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
        measure(argument)  # the message of a failed look-up contains it
        return super().getitem(obj, argument)

    def call(self, context, obj, *args, **kwargs):
        given = [*args, *kwargs.values()]
        measure(given)
        self.spent.add(made=_CHARS_A_MEMBER * len(given))  # a macro may keep them as lists
        owner = getattr(obj, "__self__", None)
        if isinstance(owner, str):
            if obj.__name__ == "join" and args:
                args = (self._listed(args[0]), *args[1:])
                check_join(args[0], owner)
            if obj.__name__ == "replace":
                check_replace(owner, *args)
        return self._counted(super().call(context, obj, *args, **kwargs))

    def call_binop(self, context, operator, left, right):
        if operator == "+":
            measure((left, right))
        elif isinstance(left, str) and operator == "%":
            raise SecurityError("it formats with %, which is not supported")
        elif not all(is_small_number(side) for side in (left, right)):
            check_product(operator, left, right)
        elif operator == "**" and abs(right) > MAX_BITS:
            raise SecurityError("it makes a number that is too large")
        return self._counted(super().call_binop(context, operator, left, right))

    # A finalizer that takes the context is not called at compile time, where the output of
    # constants would be folded in uncounted.
    @pass_context
    def _emit(self, context: Any, value: Any) -> Any:
        self.spent.add(written=measure(value))
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
            measure(given)
            numbers = [value for value in given[first + 1 :] if isinstance(value, int)]
            if any(abs(number) > _MAX_INT_ARGUMENT for number in numbers):
                raise SecurityError("it passes a filter a number that is too large")
            if name in GROWING:
                GROWING[name](*args[first:], **kwargs)
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
        if isinstance(value, int) and value.bit_length() > MAX_POWER_BITS:
            raise SecurityError("it makes a number that is too large")
        num_members = len(value) if isinstance(value, (list, tuple, dict)) else 0
        self.spent.add(made=measure(value) + _CHARS_A_MEMBER * num_members)
        return value

    def _listed(self, values: Any) -> list[Any]:
        """The values as a list, measured while it is made."""
        listed, total = [], 0
        for value in values:
            size = 1 + measure(value)
            total += size
            check_size(total)
            self.spent.add(made=size + _CHARS_A_MEMBER)
            listed.append(value)
        return listed
