"""What runs in the sandbox for reasoning-gym: one set's own grader.

A request is a pickled pair of entry and answer; the reply is the score. Some of these graders pass
the answer to `eval`. The sandbox contains what that could do to the machine; so that an answer
cannot give itself a score either, `eval` is replaced by one that knows no attributes and no names
of Python's own.
"""

from __future__ import annotations

import builtins
import dis
import json
import pickle
import sys
from collections.abc import Callable, Mapping
from types import CodeType
from typing import Any

from jaxgap.tasks.reasoning_gym import make_dataset

_eval = builtins.eval
_HARMLESS = {"abs", "complex", "divmod", "float", "int", "len", "max", "min", "pow", "round", "sum"}
_ATTRIBUTES = {"LOAD_ATTR", "LOAD_METHOD", "LOAD_SUPER_ATTR", "STORE_ATTR", "IMPORT_NAME"}


def make_handler(name: str, config: Mapping[str, Any]) -> Callable[[bytes], bytes]:
    """A handler that scores answers to one set's problems."""
    dataset = make_dataset(name, config, seed=0, size=1)
    builtins.eval = evaluate_harmless

    def handle(request: bytes) -> bytes:
        entry, answer = pickle.loads(request)
        try:
            score = float(dataset.score_answer(answer, entry))
        except Exception:
            score = 0.0
        return json.dumps(score).encode()

    return handle


def evaluate_harmless(
    source: Any,
    names: dict[str, Any] | None = None,
    local_names: Mapping[str, Any] | None = None,
    /,
) -> Any:
    """`eval` for expressions of literals, operators, and calls of functions in `names` alone.

    **Raises:** `ValueError` for an expression that uses an attribute or a name of Python's own.
    """
    code = source if isinstance(source, CodeType) else compile(source.strip(), "<answer>", "eval")
    _check(code)
    if names is None:
        caller = sys._getframe(1)
        names, local_names = caller.f_globals, caller.f_locals
    return _eval(code, names, local_names)


def _check(code: CodeType) -> None:
    for name in code.co_names:
        if name.startswith("_") or (hasattr(builtins, name) and name not in _HARMLESS):
            raise ValueError(f"{name} may not be used here")
    if any(instruction.opname in _ATTRIBUTES for instruction in dis.get_instructions(code)):
        raise ValueError("attributes may not be used here")
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            _check(constant)
