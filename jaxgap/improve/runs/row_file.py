"""The rows of a file of times or notes, of which damaged lines are left out."""

from pathlib import Path
from typing import Any

from jaxgap.errors import InputError
from jaxgap.trajectory.outside import parse_json, read_text


def intact_rows(path: Path, types: tuple[type, ...]) -> tuple[list[dict[str, Any]], list[str]]:
    """The lines that are rows with a `t` of these types, and a sentence on each kind of damage.

    No measurement depends on the others.
    """
    if not path.exists() or not path.stat().st_size:
        return [], []
    try:
        lines = read_text(path).splitlines()
    except InputError as error:
        return [], [f"{error}: {path.name} is begun anew"]
    rows = [row for line in lines if (row := _intact_row(line, types)) is not None]
    if len(rows) < len(lines):
        return rows, [f"damaged lines of {path.name}, left out: {len(lines) - len(rows)}"]
    return rows, []


def _intact_row(line: str, types: tuple[type, ...]) -> dict[str, Any] | None:
    try:
        row = parse_json(line, "")
    except InputError:
        return None
    return row if isinstance(row, dict) and type(row.get("t", "")) in types else None
