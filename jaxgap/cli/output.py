"""Where results go: checked before the work begins, written whole at its end."""

import json
import os
from pathlib import Path
from typing import Any

from jaxgap.errors import InputError


def check_writable(path: Path | None, option: str) -> None:
    """Refuse an output file that could not be written, before minutes are spent on its content."""
    if path is None:
        return
    if path.is_dir():
        raise InputError(f"{option} {path}: is a folder; name a file")
    if not path.parent.is_dir():
        raise InputError(f"{option} {path}: there is no folder {path.parent}; make it first")
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise InputError(f"{option} {path}: cannot be written; choose another place")


def write_json(result: dict[str, Any], path: Path | None) -> None:
    """Write a result as strict JSON, which has no NaN, in one step."""
    if path is None:
        return
    from jaxgap.trajectory.atomic import write_atomically

    write_atomically(path, json.dumps(result, indent=2, allow_nan=False) + "\n")


def write_bytes(data: bytes, path: Path) -> None:
    """Write a picture in one step."""
    from jaxgap.trajectory.atomic import replace_file

    replace_file(path, data)
