"""Programs for a Python process of our own that finds the packages which this one finds."""

import sys
from pathlib import Path

import jaxgap


def child_program(module: str, call: str) -> str:
    """What `python -c` is given so that it calls a function of a module.

    **Arguments:**

    - `module`: where the function is.
    - `call`: its name, with its arguments as Python has them.
    """
    root = str(Path(jaxgap.__file__).resolve().parent.parent)
    name, _, _ = call.partition("(")
    return f"import sys; sys.path[:0] = {[root, *sys.path]!r}; from {module} import {name}; {call}"
