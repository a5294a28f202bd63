"""An `eval` for containers in which other libraries evaluate text written by a model.

The sandbox keeps evaluated text from harming the machine, but not from forging the grader's reply,
since it runs in the grader's process. So `eval` is replaced there by one that rejects attributes
and all functions and classes except those used in formulas. SymPy also converts expressions to
Python source, with names unescaped, and executes it, so `exec` is disabled in the module that does.
Other callers, such as the standard library when it makes named tuples, are unaffected.
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
# What SymPy needs in formulas besides the classes of its mathematical functions. Other names
# include functions that print an expression as a string, and one that times a string as Python.
_IN_FORMULAS = {"Symbol", "Integer", "Float", "Rational", "sqrt", "cbrt", "root", "real_root"}
_ATTRIBUTES = {"LOAD_ATTR", "LOAD_METHOD", "LOAD_SUPER_ATTR", "STORE_ATTR", "IMPORT_NAME"}


def restrict_eval(packages: Sequence[str], functions: type) -> None:
    """Replace `eval` by :func:`evaluate_harmless` in these packages, for this process.

    **Arguments:**

    - `packages`: the packages' names.
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
    """Make `exec` raise a `ValueError` in these modules, for this process."""
    for name in modules:
        vars(importlib.import_module(name))["exec"] = _refuse_exec


def evaluate_harmless(
    source: Any,
    names: dict[str, Any],
    local_names: Mapping[str, Any] | None = None,
    *,
    functions: type,
) -> Any:
    """`eval` for literals and formulas only.

    **Arguments:**

    - `source`, `names`, `local_names`: as for `eval`.
    - `functions`: the base of the classes in `names` that a formula may call.

    **Raises:** `ValueError` for an expression that uses an attribute, another function or class, or
    a Python builtin.
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
    # The base itself can create new classes with arbitrary methods.
    is_function = isinstance(value, type) and issubclass(value, functions)
    return (is_function and value is not functions) or not callable(value)


def _refuse_exec(*_: object, **__: object) -> NoReturn:
    raise ValueError("nothing may be executed here")
