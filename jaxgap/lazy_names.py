"""Public names of a package that are imported on first use, for packages whose modules are slow."""

import importlib
import sys
from collections.abc import Callable, Mapping
from typing import Any


def lazy_names(
    package: str, homes: Mapping[str, str]
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """A package's `__getattr__` and `__dir__` (PEP 562) for names imported on first use.

    **Arguments:**

    - `package`: the package's `__name__`.
    - `homes`: the module of each such name, relative to the package. Type checkers see only names
        that are also imported under `TYPE_CHECKING`.

    **Returns:** the two functions; `__getattr__` raises `AttributeError` for any other name.

    **Example:**

    >>> get, names = lazy_names("jaxgap.trajectory", {"UNNAMED": "sources.log"})
    >>> get("UNNAMED"), "UNNAMED" in names(), "Trajectory" in names()
    ('(without a name)', True, True)
    """

    def get(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(importlib.import_module(f"{package}.{homes[name]}"), name)

    def names() -> list[str]:
        return sorted({*vars(sys.modules[package]), *homes})

    return get, names
