"""Whether what a file holds is of the types that a record declares.

Python does not check annotations. A forged or outdated file could put a word where a number
belongs, and nothing would be noticed before a computation failed on it, far from the file. Arrays
count by their kind and their dimensions, of which those of one name must agree within a record.
"""

import types
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import jaxtyping
import numpy as np


def misfit(record: type, fields: Mapping[str, Any]) -> str | None:
    """The first field whose value is not of the type that the record declares for it, if any.

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
    """Whether a value is of a type, as far down as the type is written out."""
    if hint is Any or isinstance(hint, TypeVar):
        return True
    if hint in (bool, int, float):
        # NumPy's float64 is a float; JSON knows no other of its scalars.
        return type(value) in ((float, np.float64, int) if hint is float else (hint,))
    if isinstance(hint, type) and issubclass(hint, jaxtyping.AbstractArray):
        # Whatever held an array when it was saved, what was read is NumPy's.
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
