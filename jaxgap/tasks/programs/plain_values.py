"""Values as JSON and back: built-in types only, so that no code of the writer comes along.

A value is written as `[tag, content]`. A value without such a form (functions, objects of a
program's own classes) is written as *opaque*, with its truth value, and equals nothing when read.
Instances of subclasses are written as the built-in type they extend, as equality treats them.
"""

from __future__ import annotations

import collections
import datetime
import decimal
import fractions
import itertools
from collections.abc import Callable, Iterator
from typing import Any

MAX_ITEMS = 200_000
"""The most items in all containers of one value together; larger values are not plain."""


class NotPlain(ValueError):
    """The data read is not the form of a plain value."""


class Opaque:
    """A placeholder for a value without a plain form: it has a truth value and equals nothing."""

    def __init__(self, truth: bool):
        self._truth = truth

    def __bool__(self) -> bool:
        return self._truth

    def __eq__(self, other: object) -> bool:
        return False

    __hash__ = None  # pyright: ignore[reportAssignmentType]


def encode(value: Any) -> list:
    """The form of a value, ready for `json.dumps`.

    >>> encode({"a": (1, 2.5)})
    ['dict', [[['str', 'a'], ['tuple', [['int', '0x1'], ['float', '0x1.4000000000000p+1']]]]]]

    **Raises:** `NotPlain` if it has more than `MAX_ITEMS` items, as an endless iterator does.
    """
    return _Encoder().encode(value)


def decode(form: Any) -> Any:
    """The value of a form, rebuilt.

    >>> decode(encode({"a": (1, 2.5)}))
    {'a': (1, 2.5)}

    **Raises:** `NotPlain` if it is not the form of a value.
    """
    try:
        tag, content = form
        return _DECODERS[tag](content)
    except NotPlain:
        raise
    except RecursionError:
        raise NotPlain("nested too deeply") from None
    except (TypeError, ValueError, KeyError, ArithmeticError, OverflowError) as error:
        raise NotPlain(f"not the form of a value: {type(error).__name__}") from None


class _Encoder:
    """Counts the items written so far."""

    def __init__(self):
        self._items = 0

    def encode(self, value: Any) -> list:
        for kind, tag, content in _SCALARS:
            if isinstance(value, kind):
                return [tag, content(value)]
        for kind, tag in _CONTAINERS:
            if isinstance(value, kind):
                return [tag, [self.encode(item) for item in self._bounded(value)]]
        for kind, tag in _MAPPINGS:
            if isinstance(value, kind):
                pairs = value if tag == "items" else value.items()
                bounded = self._bounded(pairs)
                return [tag, [[self.encode(key), self.encode(item)] for key, item in bounded]]
        return ["opaque", bool(value)]

    def _bounded(self, items: Any) -> Iterator[Any]:
        for item in items:
            self._items += 1
            if self._items > MAX_ITEMS:
                raise NotPlain(f"more than {MAX_ITEMS} items")
            yield item


# bool precedes int and datetime precedes date, which they extend.
_SCALARS: tuple[tuple[type, str, Callable[[Any], Any]], ...] = (
    (type(None), "none", lambda value: None),
    (bool, "bool", bool),
    (int, "int", lambda value: hex(int(value))),
    (float, "float", lambda value: float(value).hex()),
    (complex, "complex", lambda value: [value.real.hex(), value.imag.hex()]),
    (str, "str", lambda value: [ord(c) for c in value] if _has_surrogates(value) else str(value)),
    ((bytes), "bytes", lambda value: bytes(value).hex()),
    (bytearray, "bytearray", lambda value: bytes(value).hex()),
    (range, "range", lambda value: [hex(n) for n in (value.start, value.stop, value.step)]),
    (decimal.Decimal, "decimal", str),
    (fractions.Fraction, "fraction", lambda value: [hex(value.numerator), hex(value.denominator)]),
    (datetime.datetime, "datetime", lambda value: value.isoformat()),
    (datetime.date, "date", lambda value: value.isoformat()),
    (datetime.time, "time", lambda value: value.isoformat()),
    (
        datetime.timedelta,
        "timedelta",
        lambda delta: [delta.days, delta.seconds, delta.microseconds],
    ),
)
_CONTAINERS: tuple[tuple[type, str], ...] = (
    (list, "list"),
    (tuple, "tuple"),
    (frozenset, "frozenset"),
    (set, "set"),
    (collections.deque, "deque"),
    (type({}.keys()), "keys"),
    (type({}.values()), "values"),
    (Iterator, "iterator"),  # pyright: ignore[reportAssignmentType]
)
_MAPPINGS: tuple[tuple[type, str], ...] = (
    (collections.Counter, "counter"),
    (dict, "dict"),
    (type({}.items()), "items"),
)


def _has_surrogates(text: str) -> bool:
    return any("\ud800" <= character <= "\udfff" for character in text)


def _all(content: Any) -> list:
    if not isinstance(content, list):
        raise TypeError("a list is expected")
    return [decode(item) for item in content]


def _pairs(content: Any) -> dict:
    return {decode(key): decode(item) for key, item in content}


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    return "".join(map(chr, content))


_DECODERS: dict[str, Callable[[Any], Any]] = {
    "none": lambda content: None,
    "bool": lambda content: content is True,
    "int": lambda content: int(content, 16),
    "float": float.fromhex,
    "complex": lambda content: complex(*map(float.fromhex, content)),
    "str": _text,
    "bytes": bytes.fromhex,
    "bytearray": bytearray.fromhex,
    "range": lambda content: range(*(int(n, 16) for n in content)),
    "decimal": decimal.Decimal,
    "fraction": lambda content: fractions.Fraction(*(int(n, 16) for n in content)),
    "datetime": datetime.datetime.fromisoformat,
    "date": datetime.date.fromisoformat,
    "time": datetime.time.fromisoformat,
    "timedelta": lambda content: datetime.timedelta(*content),
    "list": _all,
    "tuple": lambda content: tuple(_all(content)),
    "set": lambda content: set(_all(content)),
    "frozenset": lambda content: frozenset(_all(content)),
    "deque": lambda content: collections.deque(_all(content)),
    "keys": lambda content: dict.fromkeys(_all(content)).keys(),
    "values": lambda content: dict(enumerate(_all(content))).values(),
    "items": lambda content: _pairs(content).items(),
    "iterator": lambda content: itertools.chain(_all(content)),
    "dict": _pairs,
    "counter": lambda content: collections.Counter(_pairs(content)),
    "opaque": lambda content: Opaque(content is True),
}
