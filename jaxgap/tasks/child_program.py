"""Programs for a child Python process that finds the same packages as this one."""

import sys
from pathlib import Path

import jaxgap


def child_program(module: str, call: str) -> str:
    """The argument of `python -c` that calls a function of a module.

    **Arguments:**

    - `module`: the module of the function.
    - `call`: its name and arguments, in Python syntax.
    """
    root = str(Path(jaxgap.__file__).resolve().parent.parent)
    name, _, _ = call.partition("(")
    return f"import sys; sys.path[:0] = {[root, *sys.path]!r}; from {module} import {name}; {call}"
