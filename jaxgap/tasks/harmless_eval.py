"""An `eval` for containers in which other libraries evaluate what a model wrote.

The sandbox keeps evaluated text from harming the machine, but not from answering in the grader's
place: it runs in the grader's process. So `eval` is replaced there by one that refuses attributes,
Python's own functions, and those of SymPy's that run text; literals and formulas need none of them.
Other callers of `eval`, such as the standard library when it makes named tuples, are left alone.
"""

from __future__ import annotations

import builtins
import dis
import sys
from collections.abc import Mapping, Sequence
from types import CodeType
from typing import Any

_eval = builtins.eval
_HARMLESS = {"abs", "complex", "divmod", "float", "int", "len", "max", "min", "pow", "round", "sum"}
_RUN_TEXT = {"lambdify", "preview", "doctest", "test"}
_ATTRIBUTES = {"LOAD_ATTR", "LOAD_METHOD", "LOAD_SUPER_ATTR", "STORE_ATTR", "IMPORT_NAME"}


def restrict_eval(packages: Sequence[str]) -> None:
    """From now on, in this process, `eval` is :func:`evaluate_harmless` to these packages."""

    def evaluate(
        source: Any,
        names: dict[str, Any] | None = None,
        local_names: Mapping[str, Any] | None = None,
        /,
    ) -> Any:
        caller = sys._getframe(1)
        if names is None:
            names, local_names = caller.f_globals, caller.f_locals
        is_restricted = caller.f_globals.get("__name__", "").split(".")[0] in packages
        return (evaluate_harmless if is_restricted else _eval)(source, names, local_names)

    builtins.eval = evaluate


def evaluate_harmless(
    source: Any,
    names: dict[str, Any],
    local_names: Mapping[str, Any] | None = None,
) -> Any:
    """`eval` for expressions of literals, operators, and calls of functions in `names` alone.

    **Raises:** `ValueError` for an expression that uses an attribute or a name of Python's own.
    """
    code = source if isinstance(source, CodeType) else compile(source.strip(), "<answer>", "eval")
    _check(code)
    return _eval(code, names, local_names)


def _check(code: CodeType) -> None:
    for name in code.co_names:
        is_python = hasattr(builtins, name) and name not in _HARMLESS
        if name.startswith("_") or is_python or name in _RUN_TEXT:
            raise ValueError(f"{name} may not be used here")
    if any(instruction.opname in _ATTRIBUTES for instruction in dis.get_instructions(code)):
        raise ValueError("attributes may not be used here")
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            _check(constant)
