"""Libraries of the extra `lm`, imported when a real model is first used."""

from __future__ import annotations

import importlib
from typing import Any

from jaxgap.errors import InputError


def import_extra(name: str) -> Any:
    """The module of this name.

    **Raises:** `InputError` in one line if it is not installed.
    """
    try:
        return importlib.import_module(name)
    except ImportError:
        package = name.partition(".")[0]
        raise InputError(f"this needs the package {package}: pip install 'jaxgap[lm]'") from None
