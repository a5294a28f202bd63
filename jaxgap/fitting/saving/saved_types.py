"""Checks that the contents of a file have the types that a record declares.

Python does not check annotations. A forged or outdated file could have a string where a number
belongs, which would go unnoticed until a computation failed on it, far from the file. Arrays are
checked by dtype kind and dimensions; dimensions of the same name must agree within a record.
"""

import types
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import jaxtyping
import numpy as np


def misfit(record: type, fields: Mapping[str, Any]) -> str | None:
    """The name of the first field whose value is not of its declared type, if any.

    **Example:**

    >>> from jaxgap.fitting.laws.law import Parameter
    >>> misfit(Parameter, {"name": "rate", "lower": "zero"})
    'lower'
    """
    hints = _hints(record)
    with jaxtyping.jaxtyped("context"):
        return next((name for name, value in fields.items() if not _is(value, hints[name])), None)


@cache
def _hints(record: type) -> dict[str, Any]:
    return get_type_hints(record)


def _is(value: Any, hint: Any) -> bool:
    """Whether a value is of a type, recursively as far as the annotation goes."""
    if hint is Any or isinstance(hint, TypeVar):
        return True
    if hint in (bool, int, float):
        # NumPy's float64 is a float; no other NumPy scalar is written as a JSON number.
        return type(value) in ((float, np.float64, int) if hint is float else (hint,))
    if isinstance(hint, type) and issubclass(hint, jaxtyping.AbstractArray):
        # Arrays are read back as NumPy's, whatever they were when saved.
        is_array = isinstance(value, np.ndarray | np.generic)
        return is_array and isinstance(np.asarray(value), hint.dtype[np.ndarray, hint.dim_str])
    inner = get_args(hint)
    match get_origin(hint):
        case None:
            return isinstance(value, hint)
        case origin if origin in (Union, types.UnionType):
            return any(_is(value, each) for each in inner)
        case origin if origin is Literal:
            return isinstance(value, str) and value in inner
        case origin if origin is tuple:
            return isinstance(value, tuple) and _are(value, inner)
        case origin if origin in (list, Sequence):
            return isinstance(value, list | tuple) and _are(value, (*inner, ...))
        case origin if origin in (dict, Mapping):
            return isinstance(value, Mapping) and _are([*value.values()], (inner[1], ...))
        case origin if origin is Callable:
            return callable(value)
    return False


def _are(values: Sequence[Any], hints: Sequence[Any]) -> bool:
    if hints[1:] == (...,):
        return all(_is(value, hints[0]) for value in values)
    return len(values) == len(hints) and all(map(_is, values, hints))
