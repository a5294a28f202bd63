"""A Python interpreter in a container: runs sources and evaluates expressions.

Requests and replies are JSON:

    {"run": source}                        -> {"ran": true}
    {"value": expression}                  -> {"value": form}, see plain_values.py
    {"check": assertion, "where": {name: form}} -> {"holds": true}

or, after any exception, `{"raised": name}`. The program's interpreter and the judge's are this
same code in two containers. What runs here may replace any of it, so the owner treats a reply only
as the program's claim.
"""

from __future__ import annotations

import json
import sys
import types
from collections.abc import Callable
from typing import Any

from jaxgap.tasks.programs.plain_values import decode, encode


def make_handler() -> Callable[[bytes], bytes]:
    """A handler whose sessions each begin with an empty module."""
    module = types.ModuleType("program")
    names = module.__dict__

    def handle(request: bytes) -> bytes:
        sys.modules["program"] = module
        try:
            reply = _answer(json.loads(request), names)
        # A program may raise anything, including SystemExit and exceptions of its own.
        except BaseException as error:
            reply = {"raised": type(error).__name__[:200]}
        return json.dumps(reply).encode()

    return handle


def _answer(request: dict[str, Any], names: dict[str, Any]) -> dict[str, Any]:
    if "run" in request:
        exec(compile(request["run"], "<program>", "exec", dont_inherit=True), names)
        return {"ran": True}
    if "value" in request:
        return {"value": encode(eval(request["value"], names))}
    places = {name: decode(form) for name, form in request["where"].items()}
    exec(compile(request["check"], "<test>", "exec", dont_inherit=True), names | places)
    return {"holds": True}
