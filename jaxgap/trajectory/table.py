"""The rows of a text table, with any of the usual separators."""

import csv
import dataclasses
import io
import re
from collections.abc import Sequence
from pathlib import Path

from jaxgap.trajectory.number_marks import number_marks, with_point
from jaxgap.trajectory.outside import is_number, read_text, shown
from jaxgap.trajectory.record import TrajectoryError

# Excel's line `sep=;`, which declares the separator.
_SEPARATOR = re.compile(r"sep=.", re.IGNORECASE)

_Row = tuple[int, list[str]]


@dataclasses.dataclass(frozen=True)
class Table:
    """A table of text: the column names, the line of the header, and the rows.

    A row is its line number (1-based) and one cell for each column. `percent` names the columns
    that had percent signs, and are fractions by now; `doubtful` those whose numbers can be read in
    two ways, each with a message for whoever reads it.
    """

    line: int
    names: list[str]
    rows: list[_Row]
    percent: frozenset[str]
    doubtful: dict[str, str]


def read_table(path: Path) -> Table:
    """The table in a file, without the empty columns and cells that spreadsheets leave.

    Cells are separated by commas, or by semicolons or tabs if the header has these and no comma:
    spreadsheets write such tables in countries with a decimal comma, which is then read as a point.
    Lines above the header that begin with `#` or are like `sep=;` are skipped. Columns with neither
    name nor values are dropped, as are empty cells beyond the header's last. A column becomes
    fractions if every number in it has a percent sign.

    **Raises:** `TrajectoryError` naming the line, if the file is not a table, its first line is a
    row of numbers, or a row's width differs from the header's.
    """
    delimiter, lines = _split(read_text(path), path)
    if not lines:
        raise TrajectoryError(f"{path}: the table is empty")
    line, header = lines[0]
    names = [cell.strip() for cell in header]
    if _is_data(names):
        skipped = " (lines above it that begin with # are skipped)" if line > 1 else ""
        raise TrajectoryError(
            f"{path}:{line}: the first line has to name the columns, but has only "
            f"numbers{skipped}: {shown(', '.join(names))}"
        )
    rows = [(number, _fitted(cells, names, f"{path}:{number}")) for number, cells in lines[1:]]
    rows, doubtful = _with_decimal_points(rows, names, delimiter, path)
    kept = [j for j, name in enumerate(names) if name or any(cells[j].strip() for _, cells in rows)]
    percent = {j for j in kept if _in_percent([cells[j] for _, cells in rows])}
    cleaned = [
        (number, [_fraction(cells[j]) if j in percent else cells[j] for j in kept])
        for number, cells in rows
    ]
    signed = frozenset(names[j] for j in percent)
    return Table(line, [names[j] for j in kept], cleaned, signed, doubtful)


def _split(text: str, path: Path) -> tuple[str, list[_Row]]:
    """The delimiter, and the line number and the cells of each row, without empty rows.

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
    return delimiter, rows


def _is_data(names: Sequence[str]) -> bool:
    """Whether a header is a row of numbers, and not what pandas calls columns without names.

    >>> _is_data(["0", "3.25"]), _is_data(["", "0", "1"]), _is_data(["t", "3"])
    (True, False, False)
    """
    given = [name for name in names if name]
    counted = [str(number) for number in range(len(given))]
    return bool(given) and all(map(is_number, given)) and given != counted


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


def _with_decimal_points(
    rows: list[_Row], names: Sequence[str], delimiter: str, path: Path
) -> tuple[list[_Row], dict[str, str]]:
    """The rows with points for decimal commas, and a message for each column left in doubt."""
    if delimiter == ",":
        return rows, {}
    commas, first_doubtful = number_marks([cells for _, cells in rows], delimiter)
    doubtful = {}
    for j, row in first_doubtful.items():
        line, cells = rows[row]
        doubtful[names[j]] = (
            f"{path}:{line}: column '{names[j]}': {shown(cells[j].strip())} may be a decimal "
            "number or thousands; write thousands without a mark, and decimals with a point in a "
            "table separated by commas"
        )
    pointed = [
        (line, [with_point(cell) if j in commas else cell for j, cell in enumerate(cells)])
        for line, cells in rows
    ]
    return pointed, doubtful


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
    begin = 0
    number = 0
    for number, line in enumerate(io.StringIO(text, newline="")):
        if (
            line.strip()
            and not line.startswith("#")
            and not _SEPARATOR.fullmatch(line.strip("\r\n"))
        ):
            return number, text[begin:]
        begin += len(line)
    return number, ""


def _delimiter(text: str) -> str:
    header = next(io.StringIO(text, newline=""), "")
    return next((each for each in ";\t" if each in header and "," not in header), ",")
