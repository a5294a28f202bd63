"""Records of arrays as JSON and back, without loss and without executing code.

A fit is a tree: dataclasses, named tuples and Equinox modules with arrays and plain values as
leaves. Each record is written as its class name and fields, each array as its dtype, shape and
values. JSON floats are written with enough digits to round-trip bit for bit. Unlike a pickle, such
a file can name nothing but the records and functions of
:mod:`jaxgap.fitting.saving.saved_records`.
"""

import dataclasses
import math
import types
from collections.abc import Callable, Mapping
from typing import Any

import equinox as eqx
import jax
import numpy as np

from jaxgap.errors import InputError
from jaxgap.fitting.saving.saved_records import function_named, record_named
from jaxgap.fitting.saving.saved_types import misfit

_DTYPES = ("float64", "float32", "int64", "int32", "bool")
_NOT_FINITE = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}


def encode(value: Any) -> Any:
    """A record, or a tree of them, as JSON-like values.

    **Raises:** `ValueError` for a value that :func:`decode` could not restore, such as a law that
    is not jaxgap's own.

    **Example:**

    >>> decode(encode((1, np.array([0.1, np.inf]))))
    (1, array([0.1, inf]))
    """
    if value is None or isinstance(value, bool | str) or type(value) is int:
        return value
    if type(value) is float:
        return value if math.isfinite(value) else {"float": str(value)}
    if isinstance(value, np.ndarray | np.generic | jax.Array):
        return _encode_array(np.asarray(value))
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        fields = {name: getattr(value, name) for name in type(value).__annotations__}
        return _encode_record(value, fields)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return _encode_record(value, _given(value))
    if isinstance(value, tuple):
        return {"tuple": [encode(each) for each in value]}
    if isinstance(value, list):
        return [encode(each) for each in value]
    if isinstance(value, Mapping):
        return {"mapping": {str(key): encode(each) for key, each in value.items()}}
    if isinstance(value, types.FunctionType):
        return {"function": _own_name(value, function_named)}
    raise ValueError(
        f"a {type(value).__name__} cannot be saved: only arrays, numbers and words can"
    )


def decode(form: Any) -> Any:
    """The value from its encoded form.

    **Raises:** `InputError` for a form that :func:`encode` does not produce.
    """
    if isinstance(form, list):
        return [decode(each) for each in form]
    if not isinstance(form, dict):
        return form
    match form:
        case {"array": str(dtype), "shape": list(shape), "values": list(values)}:
            return _decode_array(dtype, shape, values)
        case {"float": str(name)} if name in _NOT_FINITE:
            return _NOT_FINITE[name]
        case {"tuple": list(parts)}:
            return tuple(decode(each) for each in parts)
        case {"mapping": dict(items)}:
            return {key: decode(each) for key, each in items.items()}
        case {"function": str(name)}:
            return _named(name, function_named)
        case {"record": str(name), "fields": dict(fields)}:
            return _decode_record(name, fields)
    raise InputError(f"not a saved fit: unknown fields {sorted(form)[:3]}")


def _encode_array(array: np.ndarray) -> dict[str, Any]:
    if array.dtype.name not in _DTYPES:
        raise ValueError(f"an array of {array.dtype} cannot be saved")
    # A float32 converts exactly to a float64, which JSON writes exactly.
    values = [
        value if not isinstance(value, float) or math.isfinite(value) else str(value)
        for value in array.ravel().tolist()
    ]
    return {"array": array.dtype.name, "shape": list(array.shape), "values": values}


def _decode_array(dtype: str, shape: list[Any], values: list[Any]) -> np.ndarray | np.generic:
    sizes_fit = all(type(size) is int and size >= 0 for size in shape)
    if dtype not in _DTYPES or not sizes_fit or math.prod(shape) != len(values):
        raise InputError(f"not a saved fit: an array of {dtype} has a wrong size")
    numbers = [_NOT_FINITE.get(each) if isinstance(each, str) else each for each in values]
    if not all(type(each) in (bool, int, float) for each in numbers):
        raise InputError("not a saved fit: an array contains something that is not a number")
    try:
        # A zero-dimensional array comes back as a scalar, which works wherever a float does.
        return np.array(numbers, dtype=dtype).reshape(shape)[()]
    except (OverflowError, ValueError):
        raise InputError(f"not a saved fit: numbers too large for {dtype}") from None


def _encode_record(value: Any, fields: Mapping[str, Any]) -> dict[str, Any]:
    encoded = {name: encode(each) for name, each in fields.items()}
    return {"record": _own_name(type(value), record_named), "fields": encoded}


def _given(record: Any) -> dict[str, Any]:
    """The fields of a dataclass, without those at their defaults."""
    found = {}
    for field in dataclasses.fields(record):
        value = getattr(record, field.name)
        same = type(value) is type(field.default)
        if not (same and eqx.tree_equal(value, field.default, typematch=True) is True):
            found[field.name] = value
    return found


def _decode_record(name: str, fields: dict[str, Any]) -> Any:
    record = _named(name, record_named)
    values = {key: decode(each) for key, each in fields.items()}
    try:
        made = record(**values)
    except (AttributeError, TypeError, ValueError) as error:
        raise InputError(f"not a saved fit of this version: {name}: {error}") from None
    if (field := misfit(record, values)) is not None:
        raise InputError(f"not a saved fit of this version: {name}: {field} is of another type")
    return made


def _own_name(thing: Any, named_fn: Callable[[str], Any]) -> str:
    """The name by which `named_fn` finds a class or function again."""
    if named_fn(thing.__name__) is not thing:
        name = f"{thing.__module__}.{thing.__qualname__}"
        raise ValueError(f"{name} cannot be saved: it is not jaxgap's own")
    return thing.__name__


def _named(name: str, named_fn: Callable[[str], Any]) -> Any:
    """The class or function of that name; an error if there is none."""
    if (thing := named_fn(name)) is None:
        raise InputError(f"not a saved fit of this version: there is no {name}")
    return thing
