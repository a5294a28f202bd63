"""Decimal commas, and marks that may separate thousands.

`1.234` may be a decimal number or, in a German spreadsheet, one thousand two hundred and
thirty-four; `1,234` is the reverse. In a table separated by commas a point is decimal. In others
the rest of the column and of the table decides.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

_DECIMAL = re.compile(r"\s*[+-]?(?:[0-9]+(,)|[0-9]*(\.))[0-9]+([eE][+-]?[0-9]+)?\s*%?\s*")
_THOUSANDS = re.compile(r"\s*[+-]?[1-9][0-9]{0,2}[.,][0-9]{3}\s*")
_HUNDRED_OR_MORE = re.compile(r"\s*[+-]?[1-9][0-9]{2,}\s*")


class NumberMarks(NamedTuple):
    """What the marks in the columns of a table are.

    **Fields:**

    - `decimal_commas`: the columns whose commas are decimal ones.
    - `doubtful`: the columns whose marks may separate thousands, each with the index of the first
        row that has one.
    """

    decimal_commas: frozenset[int]
    doubtful: dict[int, int]


def number_marks(rows: Sequence[Sequence[str]], delimiter: str) -> NumberMarks:
    """What the marks in the columns of a table are, whose cells the delimiter separates.

    Only a column in which every mark has one to three digits before it, the first not zero, and
    three after it, is in question. Its marks are doubtful if another number of the table has the
    other mark as a decimal one, and decimal if one has the same. Where no number tells, they are
    doubtful beside numbers of 100 or more without a mark, if all end in `000`, and if they are
    commas between tabs, which spreadsheets write both ways.

    >>> number_marks([["0", "1.600"], ["1", "1.058"], ["2", "887"]], ";")
    NumberMarks(decimal_commas=frozenset(), doubtful={1: 0})
    """
    columns = list(zip(*rows, strict=True))
    marks = [[_mark(cell) for cell in column] for column in columns]
    proven = {
        mark
        for column, found in zip(columns, marks, strict=True)
        for cell, mark in zip(column, found, strict=True)
        if mark and not _THOUSANDS.fullmatch(cell)
    }
    commas, doubtful = set(), {}
    for j, (column, found) in enumerate(zip(columns, marks, strict=True)):
        distinct = set(filter(None, found))
        if len(distinct) != 1:
            continue
        (mark,) = distinct
        marked = [cell for cell, each in zip(column, found, strict=True) if each]
        ambiguous = (
            proven != {mark} if proven else _look_like_thousands(column, marked, mark, delimiter)
        )
        if all(map(_THOUSANDS.fullmatch, marked)) and ambiguous:
            doubtful[j] = found.index(mark)
        elif mark == ",":
            commas.add(j)
    return NumberMarks(frozenset(commas), doubtful)


def with_point(cell: str) -> str:
    """A number with a point in place of its decimal comma; any other cell unchanged."""
    return cell.replace(",", ".") if _mark(cell) == "," else cell


def _mark(cell: str) -> str:
    """The comma or point of a number that may be a decimal one; empty for any other cell."""
    found = _DECIMAL.fullmatch(cell)
    return (found[1] or found[2]) if found else ""


def _look_like_thousands(
    column: Sequence[str], marked: Sequence[str], mark: str, delimiter: str
) -> bool:
    """Whether a column itself gives reason to take its marks for those of thousands."""
    return (
        any(map(_HUNDRED_OR_MORE.fullmatch, column))
        or all(cell.strip().endswith("000") for cell in marked)
        or (mark == "," and delimiter == "\t")
    )
