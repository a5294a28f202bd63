"""From named rows of numbers, each with its line number, to a validated trajectory.

CSV and JSONL differ only in how a row is written. The rest is common: required columns, gaps in
extra columns only, and errors that name file, line and column.
"""

import contextlib
import dataclasses
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jaxgap.trajectory.extras import with_num_items
from jaxgap.trajectory.outside import is_missing, repeated
from jaxgap.trajectory.reading_notes import with_assumed_kind
from jaxgap.trajectory.record import (
    CAPABILITIES,
    MIN_ROWS,
    Series,
    Trajectory,
    TrajectoryError,
)
from jaxgap.trajectory.run_columns import names_runs

CORE_COLUMNS = ("t", *CAPABILITIES)
_BY_NAME = "columns={'t': 'NAME', 'solver': 'NAME'}"
_OTHERS = f"; reading with {_BY_NAME} skips columns that are not named there"


@dataclasses.dataclass(frozen=True)
class Row:
    """One row of a file: its line (1-based) and a value per column, `None` where empty."""

    line: int
    values: Sequence[float | None]


def own_columns(names: Collection[str]) -> dict[str, str]:
    """The file's name of each of jaxgap's columns that it has.

    That is the exact name, or the only name that equals it up to case.

    >>> own_columns(["t", "T", "Solver", "VERIFIER", "verifiER"])
    {'t': 't', 'solver': 'Solver'}
    """
    found = {}
    for column in CORE_COLUMNS:
        alike = [name for name in names if name.lower() == column]
        if column in alike or len(alike) == 1:
            found[column] = column if column in alike else alike[0]
    return found


def checked_names(names: Sequence[str], where: str) -> list[str]:
    """The names of a file's columns, jaxgap's own in lower case.

    **Raises:** `TrajectoryError` for repeated or nameless columns, and without `t` and `solver`.
    """
    if "" in names:
        raise TrajectoryError(f"{where}: {_place(names)} has no name", hint=_OTHERS)
    twice = repeated(names)
    if twice is not None:
        raise TrajectoryError(f"{where}: column '{twice}' is given twice; rename one of them")
    own = own_columns(names)
    missing = [name for name in ("t", "solver") if name not in own]
    if missing:
        raise TrajectoryError(
            f"{where}: missing column{'s'[: len(missing) - 1]} "
            f"{' and '.join(repr(name) for name in missing)}; found {', '.join(names)[:200]}",
            hint=f"; say which is which by {_BY_NAME}",
        )
    if "ts" in names:
        raise TrajectoryError(f"{where}: column 'ts' would shadow the times; rename it")
    known = {name: column for column, name in own.items()}
    return [known.get(name, name) for name in names]


def _place(names: Sequence[str]) -> str:
    """The position of the first column without a name."""
    before = list(names).index("")
    return f"the column after '{names[before - 1]}'" if before else "the first column"


def columns_of_rows(path: Path, names: Sequence[str], rows: Sequence[Row]) -> dict[str, Series]:
    """The columns of a file by name, each of shape `(T,)`, NaN where an extra one is empty.

    **Raises:** `TrajectoryError` naming the file, the line and the column.
    """
    table = np.full((len(rows), len(names)), np.nan)
    for i, row in enumerate(rows):
        for j, (name, value) in enumerate(zip(names, row.values, strict=True)):
            if value is not None:
                table[i, j] = value
            elif name in CORE_COLUMNS:
                raise TrajectoryError(
                    f"{path}:{row.line}: column '{name}': the cell is empty; "
                    "only extra columns may have gaps",
                    hint=_gap_hint(name),
                )
    return {name: table[:, j] for j, name in enumerate(names)}


def trajectory_of_columns(
    path: Path, columns: Mapping[str, Series], lines: Sequence[int], metadata: Mapping[str, Any]
) -> Trajectory:
    """The trajectory that the columns of a file make; `lines` are the line numbers of their rows.

    **Raises:** `TrajectoryError` naming the file, the line and the column.
    """
    try:
        return built(columns, metadata)
    except TrajectoryError as error:
        run_column = _run_column(columns)
        if run_column is not None and error.column == "ts" and error.row is not None:
            # Sorted, as the error advises for the rows of one run, they would be mixed.
            hint = f"; if column '{run_column}' tells runs apart, jaxgap compare reads them all"
            error = TrajectoryError(error.problem, error.column, error.row, hint)
        raise located(error, path, lines) from error


def built(columns: Mapping[str, Series], metadata: Mapping[str, Any]) -> Trajectory:
    """The trajectory that columns by jaxgap's names make, each of shape `(T,)`.

    **Raises:** `TrajectoryError` naming the column and the row.
    """
    rest = dict(columns)
    core = {name: rest.pop(name) for name in CAPABILITIES if name in rest}
    ts = rest.pop("t")
    extra, metadata = with_num_items(rest, metadata)
    return with_assumed_kind(Trajectory(ts, **core, extra=extra, **metadata), metadata)


def located(error: TrajectoryError, path: Path, lines: Sequence[int] = ()) -> TrajectoryError:
    """The same error with the file's name, line and column in front.

    `lines` are the line numbers of the file's rows; none are needed for an error of no single row.

    >>> print(located(TrajectoryError("times span 1e+201", "ts"), Path("run.csv")))
    run.csv: column 't': times span 1e+201
    """
    column = "t" if error.column == "ts" else error.column
    where = str(path) if error.row is None else f"{path}:{lines[error.row]}"
    where = where if column is None else f"{where}: column '{column}'"
    return TrajectoryError(f"{where}: {error.problem}", hint=error.hint)


@contextlib.contextmanager
def naming(path: Path) -> Iterator[None]:
    """Name the file in errors about a trajectory that was read from it, and its column."""
    try:
        yield
    except TrajectoryError as error:
        raise located(error, path) from error


def _run_column(columns: Mapping[str, Series]) -> str | None:
    """The column that tells runs apart: two of its values have enough rows for a run each."""
    for name, column in columns.items():
        _, counts = np.unique(column, return_counts=True)
        if names_runs(name) and (counts >= MIN_ROWS).sum() > 1:
            return name
    return None


def cell_hint(column: str, cell: str) -> str:
    """What to do about a cell that is not a number; empty where there is nothing to advise."""
    if is_missing(cell):
        return f"; reading with {_BY_NAME} counts it as not measured"
    if column in CORE_COLUMNS:
        return ""
    several = "; if this one tells runs apart, jaxgap compare reads them all"
    return _OTHERS + (several if names_runs(column) else "")


def _gap_hint(column: str) -> str:
    """What to do about an empty cell, for example if the verifier was measured less often."""
    if column not in ("verifier", "verifier_se"):
        return f"; reading with {_BY_NAME} skips such rows"
    return (
        f": {_BY_NAME} reads the solver alone on all rows, "
        "and with a verifier in it both on the rows that have both"
    )
