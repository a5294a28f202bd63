"""From named rows of numbers, each knowing its line, to a validated trajectory.

CSV and JSONL differ in how they write a row and agree in everything else: which columns there must
be, that only extra columns may have gaps, and how an error names file, line and column.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jaxgap.trajectory.outside import repeated
from jaxgap.trajectory.record import Trajectory, TrajectoryError

_CORE = ("solver", "verifier", "solver_se", "verifier_se")
CORE_COLUMNS = ("t", *_CORE)


@dataclasses.dataclass(frozen=True)
class Row:
    """One row of a file: its line (1-based) and a value per column, `None` where empty."""

    line: int
    values: Sequence[float | None]


def check_header(names: Sequence[str], where: str) -> None:
    """Refuse repeated or nameless columns and a table without `t` and `solver`."""
    if "" in names:
        raise TrajectoryError(f"{where}: column {list(names).index('') + 1} has no name")
    twice = repeated(names)
    if twice is not None:
        raise TrajectoryError(f"{where}: column '{twice}' is given twice")
    missing = [name for name in ("t", "solver") if name not in names]
    if missing:
        raise TrajectoryError(
            f"{where}: missing column{'s'[: len(missing) - 1]} "
            f"{' and '.join(repr(name) for name in missing)}; found {', '.join(names)[:200]}"
        )
    if "ts" in names:
        raise TrajectoryError(f"{where}: column 'ts' would shadow the times; rename it")


def trajectory_from_rows(
    path: Path, names: Sequence[str], rows: Sequence[Row], metadata: Mapping[str, Any]
) -> Trajectory:
    """The trajectory that the rows of a file make.

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
                    f"only extra columns may have gaps{_hint(name)}"
                )
    columns = {name: table[:, j] for j, name in enumerate(names)}
    core = {name: columns.pop(name) for name in _CORE if name in columns}
    try:
        return Trajectory(columns.pop("t"), **core, extra=columns, **metadata)
    except TrajectoryError as error:
        raise _located(error, path, rows) from error


def _hint(column: str) -> str:
    """What to do about a verifier that was measured less often than the solver."""
    if column not in ("verifier", "verifier_se"):
        return ""
    return (
        ": --columns t=t,solver=solver fits the solver alone on all rows, "
        "and with verifier=verifier too both on the rows that have both"
    )


def _located(error: TrajectoryError, path: Path, rows: Sequence[Row]) -> TrajectoryError:
    """The same error with the file's name, line and column in front."""
    column = "t" if error.column == "ts" else error.column
    where = str(path) if error.row is None else f"{path}:{rows[error.row].line}"
    where = where if column is None else f"{where}: column '{column}'"
    return TrajectoryError(f"{where}: {error.problem}")
