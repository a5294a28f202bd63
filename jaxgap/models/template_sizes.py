"""The sizes of values in chat templates: measured, or foreseen where a call would multiply them.

This module needs jinja2 (the extra `lm`).
"""

from __future__ import annotations

import json
import math
from typing import Any

from jinja2.exceptions import SecurityError
from jinja2.utils import Namespace

MAX_CHARS = 4_000_000
MAX_BITS = 256
MAX_POWER_BITS = MAX_BITS**2  # of the largest power that is allowed
_MAX_INDENT = 16
_MAX_SEPARATOR = 8
_COLLECTIONS = (list, tuple, type({}.keys()), type({}.values()), type({}.items()))


def to_json(
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


def check_replace(text: Any, old: Any, new: Any, count: Any = None) -> None:
    """Refuse in advance a replacement that would multiply lengths."""
    text, old = str(text), str(old)
    times = text.count(old) if old else len(text) + 1
    check_size(len(text) + times * len(str(new)))


def check_join(values: Any, d: Any = "", attribute: Any = None) -> None:
    """The same for a separator between values."""
    check_size(len(list(values)) * max(1, len(str(d))))


def _check_indent(text: Any, width: Any = 4, first: Any = False, blank: Any = False) -> None:
    each = width if isinstance(width, int) else len(str(width))
    check_size(len(str(text).splitlines()) * each)


def _check_sum(values: Any, attribute: Any = None, start: Any = 0) -> None:
    if isinstance(start, (list, tuple)):
        raise SecurityError("it sums up what are no numbers")  # a new list for each of many


# With the arguments of the filters.
GROWING = {
    "replace": check_replace,
    "join": check_join,
    "indent": _check_indent,
    "sum": _check_sum,
}


def check_size(chars: float) -> None:
    """Refuse a value of more than `MAX_CHARS`."""
    if chars > MAX_CHARS:
        raise SecurityError("it makes a value that is too large")


def check_product(operator: str, left: Any, right: Any) -> None:
    """Refuse a product that is too large, and other operators than `*` as if it were."""
    sides = [side if isinstance(side, int) else measure(side) for side in (left, right)]
    check_size(sides[0] * sides[1] if operator == "*" else math.inf)


def _check_json(value: Any, indent: int, separator: int) -> None:
    """Refuse a measured value whose JSON takes too much besides its strings."""
    level, depth, total = [value], 0, 0
    while level:
        total += len(level) * (depth * indent + separator)
        check_size(total)
        level = [member for item in level for member in _members(item)]
        depth += 1


def is_small_number(value: Any) -> bool:
    """Whether a value is a float, or an integer of few bits."""
    return isinstance(value, float) or (isinstance(value, int) and value.bit_length() <= MAX_BITS)


def measure(value: Any) -> int:
    """The approximate number of characters of a value as text; refuses more than `MAX_CHARS`."""
    total, waiting = 0, [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, str):
            total += len(item)
        else:
            total += 1
            waiting += _members(item)
        check_size(total + len(waiting))
    return total


def _members(value: Any) -> Any:
    """The values that a value contains and is written with."""
    if isinstance(value, Namespace):
        value = object.__getattribute__(value, "_Namespace__attrs")
    if isinstance(value, dict):
        return [*value.keys(), *value.values()]
    return value if isinstance(value, _COLLECTIONS) else ()
