"""The rows of a text table, whichever of the usual ways its cells are told apart."""

import csv
import io
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from jaxgap.trajectory.record import TrajectoryError

_COMMENTS = re.compile(r"\A(?:#[^\n]*(?:\n|\Z))+")
_DECIMAL_COMMA = re.compile(r"\s*[+-]?\d+,\d+([eE][+-]?\d+)?\s*", re.ASCII)


def table_rows(text: str, path: Path) -> Iterator[tuple[int, list[str]]]:
    """The line number and the cells of each row, without those that are empty.

    Cells stand between commas; between semicolons or tabs where the header has these and no comma,
    as spreadsheets write tables in countries of the decimal comma, which is then read as a point.
    Lines that begin with `#` above the header are passed over.

    **Raises:** `TrajectoryError` naming the line, for what is no such table.
    """
    first, text = _without_comments(text)
    delimiter = _delimiter(text)
    reader = csv.reader(io.StringIO(text, newline=""), strict=True, delimiter=delimiter)
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield first + reader.line_num, cells if delimiter == "," else _points(cells)
    except csv.Error as error:
        raise TrajectoryError(
            f"{path}:{first + reader.line_num}: not valid CSV: {error}"
        ) from error


def check_width(cells: Sequence[str], header: Sequence[str], where: str) -> None:
    """Refuse a row with more or fewer cells than columns: `TrajectoryError`."""
    if len(cells) != len(header):
        raise TrajectoryError(
            f"{where}: {len(cells)} cells, but the header names {len(header)} "
            f"{'column' if len(header) == 1 else 'columns'}; the first line has to name them all"
        )


def _without_comments(text: str) -> tuple[int, str]:
    """How many lines stand above the header, and the text from there on."""
    rest = _COMMENTS.sub("", text, count=1)
    return text[: len(text) - len(rest)].count("\n"), rest


def _delimiter(text: str) -> str:
    header = text.lstrip().partition("\n")[0]
    return next((each for each in ";\t" if each in header and "," not in header), ",")


def _points(cells: list[str]) -> list[str]:
    return [cell.replace(",", ".") if _DECIMAL_COMMA.fullmatch(cell) else cell for cell in cells]
