"""An `eval` for containers in which other libraries evaluate what a model wrote.

The sandbox keeps evaluated text from harming the machine, but not from answering in the grader's
place: it runs in the grader's process. So `eval` is replaced there by one that refuses attributes
and all functions and classes but those that formulas are written with. SymPy also turns expressions
into Python and executes it, names as they are, so the module that does is left without `exec`.
Other callers, such as the standard library when it makes named tuples, are left alone.
"""

from __future__ import annotations

import builtins
import dis
import importlib
import sys
from collections.abc import Callable, Mapping, Sequence
from types import CodeType
from typing import Any, NoReturn

_eval = builtins.eval
_HARMLESS = {"abs", "complex", "divmod", "float", "int", "len", "max", "min", "pow", "round", "sum"}
# What SymPy has in formulas beside the classes of its mathematical functions. Among the rest are
# functions that print an expression as a text, and one that times a text as Python.
_IN_FORMULAS = {"Symbol", "Integer", "Float", "Rational", "sqrt", "cbrt", "root", "real_root"}
_ATTRIBUTES = {"LOAD_ATTR", "LOAD_METHOD", "LOAD_SUPER_ATTR", "STORE_ATTR", "IMPORT_NAME"}


def restrict_eval(packages: Sequence[str], functions: type) -> None:
    """From now on, in this process, `eval` is :func:`evaluate_harmless` to these packages.

    **Arguments:**

    - `packages`: their names.
    - `functions`: as for `evaluate_harmless`.
    """

    def evaluate(
        source: Any,
        names: dict[str, Any] | None = None,
        local_names: Mapping[str, Any] | None = None,
        /,
    ) -> Any:
        caller = sys._getframe(1)
        if names is None:
            names, local_names = caller.f_globals, caller.f_locals
        if caller.f_globals.get("__name__", "").split(".")[0] in packages:
            return evaluate_harmless(source, names, local_names, functions=functions)
        return _eval(source, names, local_names)

    builtins.eval = evaluate


def forbid_exec(modules: Sequence[str]) -> None:
    """From now on, in this process, `exec` raises a `ValueError` in these modules."""
    for name in modules:
        vars(importlib.import_module(name))["exec"] = _refuse_exec


def evaluate_harmless(
    source: Any,
    names: dict[str, Any],
    local_names: Mapping[str, Any] | None = None,
    *,
    functions: type,
) -> Any:
    """`eval` for literals and formulas alone.

    **Arguments:**

    - `source`, `names`, `local_names`: as for `eval`.
    - `functions`: the base of those classes in `names` that a formula may call.

    **Raises:** `ValueError` for an expression that uses an attribute, another function or class, or
    a name of Python's own.
    """
    code = source if isinstance(source, CodeType) else compile(source.strip(), "<answer>", "eval")
    known = {**names, **(local_names or {})}
    _check(code, lambda name: _is_in_formulas(name, known.get(name), functions))
    return _eval(code, names, local_names)


def _check(code: CodeType, may_use: Callable[[str], bool]) -> None:
    for name in code.co_names:
        if not may_use(name):
            raise ValueError(f"{name} may not be used here")
    if any(instruction.opname in _ATTRIBUTES for instruction in dis.get_instructions(code)):
        raise ValueError("attributes may not be used here")
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            _check(constant, may_use)


def _is_in_formulas(name: str, value: Any, functions: type) -> bool:
    if name in _HARMLESS or name in _IN_FORMULAS:
        return True
    if name.startswith("_") or hasattr(builtins, name):
        return False
    # The base itself makes new classes, with methods of their own.
    is_function = isinstance(value, type) and issubclass(value, functions)
    return (is_function and value is not functions) or not callable(value)


def _refuse_exec(*_: object, **__: object) -> NoReturn:
    raise ValueError("nothing may be executed here")
