"""The rows of a text table, with any of the usual separators."""

import csv
import dataclasses
import io
import re
from collections.abc import Sequence
from itertools import chain, zip_longest
from pathlib import Path

from jaxgap.trajectory.outside import is_number, read_text
from jaxgap.trajectory.record import TrajectoryError

# Comments, and Excel's line `sep=;`, which declares the separator.
_ABOVE_THE_HEADER = re.compile(r"\A(?:(?:#[^\n]*|sep=.\r?)(?:\n|\Z))+", re.IGNORECASE)
_DECIMAL_COMMA = re.compile(r"\s*[+-]?[0-9]+,[0-9]+([eE][+-]?[0-9]+)?\s*%?\s*")
_THOUSANDS = re.compile(r"\s*[+-]?[1-9][0-9]{0,2}[.,][0-9]{3}\s*%?\s*")
_DECIMAL_POINT = re.compile(r"\s*[+-]?[0-9]*\.[0-9]+([eE][+-]?[0-9]+)?\s*%?\s*")


@dataclasses.dataclass(frozen=True)
class Table:
    """A table of text: the column names, the line of the header, and the rows.

    A row is its line number (1-based) and one cell for each column. `percent` names the columns
    that had percent signs, and are fractions by now.
    """

    line: int
    names: list[str]
    rows: list[tuple[int, list[str]]]
    percent: frozenset[str]


def read_table(path: Path) -> Table:
    """The table in a file, without the empty columns and cells that spreadsheets leave.

    Columns with neither name nor values are dropped, as are empty cells beyond the header's last.
    A column becomes fractions if every number in it has a percent sign.

    **Raises:** `TrajectoryError` naming the line, if the file is not a table, or a row's width
    differs from the header's.
    """
    lines = table_rows(read_text(path), path)
    if not lines:
        raise TrajectoryError(f"{path}: the table is empty")
    line, header = lines[0]
    names = [cell.strip() for cell in header]
    rows = [(number, _fitted(cells, names, f"{path}:{number}")) for number, cells in lines[1:]]
    kept = [j for j, name in enumerate(names) if name or any(cells[j].strip() for _, cells in rows)]
    percent = {j for j in kept if _in_percent([cells[j] for _, cells in rows])}
    cleaned = [
        (number, [_fraction(cells[j]) if j in percent else cells[j] for j in kept])
        for number, cells in rows
    ]
    return Table(line, [names[j] for j in kept], cleaned, frozenset(names[j] for j in percent))


def table_rows(text: str, path: Path) -> list[tuple[int, list[str]]]:
    """The line number and the cells of each row, without empty rows.

    Cells are separated by commas, or by semicolons or tabs if the header has these and no comma:
    spreadsheets write such tables in countries with a decimal comma, which is then read as a point.
    Where that is in doubt, as commas or points may separate thousands, cells are left unchanged.
    Lines above the header that begin with `#` or are like `sep=;` are skipped.

    **Raises:** `TrajectoryError` naming the line, if the text is not such a table.
    """
    first, text = _from_header(text)
    delimiter = _delimiter(text)
    reader = csv.reader(io.StringIO(text, newline=""), strict=True, delimiter=delimiter)
    try:
        rows = [
            (first + reader.line_num, cells)
            for cells in reader
            if any(cell.strip() for cell in cells)
        ]
    except csv.Error as error:
        raise TrajectoryError(
            f"{path}:{first + reader.line_num}: not valid CSV: {error}"
        ) from error
    if delimiter == ",":
        return rows
    with_commas = _columns_with_decimal_commas([cells for _, cells in rows[1:]])
    return [
        (line, [_point(cell) if j in with_commas else cell for j, cell in enumerate(cells)])
        for line, cells in rows
    ]


def _fitted(cells: list[str], header: Sequence[str], where: str) -> list[str]:
    """The cells of a row, one for each column: `TrajectoryError` if it has more or fewer."""
    width = len(header)
    fitted = cells[:width] if not any(map(str.strip, cells[width:])) else cells
    if len(fitted) != width:
        raise TrajectoryError(
            f"{where}: {len(cells)} cells, but the header names {width} "
            f"{'column' if width == 1 else 'columns'}; the first line has to name them all"
        )
    return fitted


def _in_percent(cells: Sequence[str]) -> bool:
    """Whether all numbers of a column have a percent sign."""
    return any("%" in cell for cell in cells) and not any(map(is_number, cells))


def _fraction(cell: str) -> str:
    """A percentage as a fraction; any other cell unchanged.

    >>> _fraction("30.9 %"), _fraction("x %")
    ('30.9e-2', 'x %')
    """
    number, sign, rest = cell.strip().partition("%")
    in_percent = sign and not rest and is_number(number) and "e" not in number.lower()
    return f"{number.strip()}e-2" if in_percent else cell


def _from_header(text: str) -> tuple[int, str]:
    """The number of lines above the header, and the text from the header on."""
    rest = _ABOVE_THE_HEADER.sub("", text, count=1)
    return text[: len(text) - len(rest)].count("\n"), rest


def _delimiter(text: str) -> str:
    header = text.lstrip().partition("\n")[0]
    return next((each for each in ";\t" if each in header and "," not in header), ",")


def _columns_with_decimal_commas(rows: Sequence[Sequence[str]]) -> set[int]:
    """The columns whose commas are decimal ones.

    A column with a decimal point has none. Where another column has decimal points, one side may be
    thousands, as in `1,000` beside `0.5` and `1.000` beside `3,5`: then there are none either.
    """
    columns = [list(filter(None, column)) for column in zip_longest(*rows)]
    points = [list(filter(_DECIMAL_POINT.fullmatch, column)) for column in columns]
    without_points = {j for j, found in enumerate(points) if not found}
    if len(without_points) == len(columns):
        return without_points
    if any(map(_THOUSANDS.fullmatch, chain(*points))):
        return set()
    commas = {j: filter(_DECIMAL_COMMA.fullmatch, columns[j]) for j in without_points}
    return {j for j, found in commas.items() if not all(map(_THOUSANDS.fullmatch, found))}


def _point(cell: str) -> str:
    return cell.replace(",", ".") if _DECIMAL_COMMA.fullmatch(cell) else cell
