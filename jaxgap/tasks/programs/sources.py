"""What a Python source binds, imports and needs, found without running it."""

from __future__ import annotations

import ast
import builtins
import warnings
from collections.abc import Collection

_IMPORTS = (ast.Import, ast.ImportFrom)


def is_python(source: str) -> bool:
    """Whether a source can be parsed.

    >>> is_python("x = 1"), is_python("x =")
    (True, False)
    """
    try:
        _parsed(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


def bound_names(source: str) -> frozenset[str]:
    """The names that a source binds at its top level.

    >>> sorted(bound_names("import math, os.path as p\\ndef f(): x = 1\\ny = 2"))
    ['f', 'math', 'p', 'y']
    """
    return frozenset().union(*map(_names_bound_by, _parsed(source).body))


def imports_of(source: str, used: Collection[str] | None = None) -> str:
    """The top-level import statements of a source; if `used` is given, those that bind such a name.

    >>> imports_of("import math\\nimport re\\ndef f(): import os", used={"re"})
    'import re'
    """
    imports = [node for node in _parsed(source).body if isinstance(node, _IMPORTS)]
    if used is not None:
        imports = [node for node in imports if not _names_bound_by(node).isdisjoint(used)]
    return "\n".join(map(ast.unparse, imports))


def used_names(source: str) -> frozenset[str]:
    """The names that a source uses anywhere."""
    return frozenset(node.id for node in ast.walk(_parsed(source)) if isinstance(node, ast.Name))


def stands_alone(source: str) -> bool:
    """Whether a source uses only its own names and Python builtins.

    >>> stands_alone("import math\\nx = math.sqrt(4)"), stands_alone("root = Node(1)")
    (True, False)
    """
    nodes = list(ast.walk(_parsed(source)))
    own = {node.arg for node in nodes if isinstance(node, ast.arg)}
    for node in nodes:
        if isinstance(node, ast.stmt):
            own |= _names_bound_by(node)
    return used_names(source) <= own | set(vars(builtins))


def _parsed(source: str) -> ast.Module:
    with warnings.catch_warnings():
        # Python's warnings about a program are not about the run that judges it.
        warnings.simplefilter("ignore")
        return ast.parse(source)


def _names_bound_by(statement: ast.stmt) -> set[str]:
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return {statement.name}
    if isinstance(statement, _IMPORTS):
        return {alias.asname or alias.name.split(".")[0] for alias in statement.names}
    return {
        node.id
        for node in ast.walk(statement)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }
