"""Trajectories as CSV, with the rest of the record in a sidecar file.

`run.csv` contains `t, solver[, verifier, solver_se, verifier_se, ...]`, one row per measurement;
`run.csv.json` beside it contains the kind, number of test items, time unit and provenance.
"""

import csv
import dataclasses
import io
import json
from pathlib import Path
from typing import Any

import numpy as np

from jaxgap.atomic_files import write_atomically
from jaxgap.trajectory.extras import NUM_ITEMS
from jaxgap.trajectory.metadata import checked_metadata, with_given, with_notes
from jaxgap.trajectory.outside import parse_json, parse_number, read_text
from jaxgap.trajectory.percent import looks_like_percent
from jaxgap.trajectory.percent_signs import errors_beside_percent, points_to_fractions
from jaxgap.trajectory.record import Series, Trajectory, TrajectoryError
from jaxgap.trajectory.rows import (
    Row,
    cell_hint,
    checked_names,
    columns_of_rows,
    trajectory_of_columns,
)
from jaxgap.trajectory.table import read_table

_SOLVER_ALONE = ("t", "solver", "solver_se", NUM_ITEMS)


def sidecar_path(path: str | Path) -> Path:
    """The path of a CSV file's sidecar: `run.csv.json` beside `run.csv`."""
    return Path(f"{path}.json")


def read_csv(path: str | Path, **metadata: Any) -> Trajectory:
    """Read a trajectory from a CSV file and its sidecar, if there is one.

    **Arguments:**

    - `path`: the CSV file, in UTF-8, with a header line. The names of jaxgap's own columns may be
        written in any case unless that is ambiguous. Columns with neither name nor values are
        dropped; a column becomes fractions if every number in it has a percent sign, and so do
        standard errors without signs beside it if they are too large for fractions.
    - `metadata`: `kind`, `num_items`, `time_unit`, `provenance`, overriding the sidecar's.

    **Returns:** the trajectory; columns with other names are its extra measurements.

    **Raises:** `TrajectoryError` naming file, line and column: for missing or repeated columns,
    text, NaN or infinity in a number column, gaps outside extra columns, times that do not
    increase, fewer than three rows, an empty or binary file, accuracies outside [0, 1], negative
    standard errors, errors too large for accuracies, errors that may be points or fractions beside
    a series in percent, and errors with percent signs beside uncertainties without.
    """
    path = Path(path)
    return _trajectory(path, _columns(path), with_given(read_sidecar(path), metadata))


def read_accuracies(path: str | Path, **metadata: Any) -> tuple[Trajectory, float]:
    """Read the solver's accuracies, which may be in percent, from a CSV file and its sidecar.

    **Arguments:**

    - `path`, `metadata`: as for :func:`read_csv`; the kind is `"accuracy"`.

    **Returns:** the trajectory of the solver alone, in fractions, and what its accuracies were
    multiplied by in the file: 100 if they have percent signs or their median is above 1, else 1.

    **Raises:** `TrajectoryError`, as :func:`read_csv` does, and for errors too small for points
    beside percentages without signs.
    """
    path = Path(path)
    found = _columns(path)
    kept = {name: found.table[name] for name in _SOLVER_ALONE if name in found.table}
    bare_percent = "solver" not in found.signed and looks_like_percent(kept["solver"])
    if bare_percent:
        kept |= points_to_fractions(kept, "solver", found.signed, found.names, str(path))
    metadata = with_given(read_sidecar(path), {**metadata, "kind": "accuracy"})
    run = _trajectory(path, dataclasses.replace(found, table=kept), metadata)
    return run, 100.0 if bare_percent or "solver" in found.signed else 1.0


def read_sidecar(path: str | Path) -> dict[str, Any]:
    """The metadata in the sidecar of a CSV file; empty if there is none.

    **Raises:** `TrajectoryError` for a sidecar that contains anything else.
    """
    sidecar = sidecar_path(path)
    if not sidecar.exists():
        return {}
    return checked_metadata(parse_json(read_text(sidecar), str(sidecar)), str(sidecar))


def write_csv(run: Trajectory, path: str | Path) -> None:
    """Write a trajectory as CSV and its metadata as the sidecar; reading them restores it exactly.

    Numbers are written with as many digits as identify them. Each file is replaced atomically,
    the sidecar first, so that an interruption leaves either the old table or the new.

    **Arguments:**

    - `run`: the trajectory.
    - `path`: the file, replaced if it exists; its folder must exist.

    **Raises:** `InputError` where `path` is a device, a pipe or a folder, and `OSError` where it
    cannot be written.
    """
    columns = run.columns()
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow("t" if name == "ts" else name for name in columns)
    for values in zip(*columns.values(), strict=True):
        writer.writerow("" if np.isnan(value) else repr(float(value)) for value in values)
    write_atomically(sidecar_path(path), json.dumps(run.metadata(), indent=2) + "\n")
    write_atomically(path, buffer.getvalue())


@dataclasses.dataclass(frozen=True)
class _Columns:
    """The columns of a file by jaxgap's names, and the line numbers of their rows.

    `names` are the file's own names of the columns; `signed` had percent signs, and are fractions
    by now.
    """

    table: dict[str, Series]
    lines: list[int]
    names: dict[str, str]
    signed: set[str]


def _columns(path: Path) -> _Columns:
    table = read_table(path)
    names = checked_names(table.names, f"{path}:{table.line}")
    for problem in table.doubtful.values():
        raise TrajectoryError(problem)
    rows = [_row(cells, names, path, line) for line, cells in table.rows]
    in_file = dict(zip(names, table.names, strict=True))
    signed = {name for name in names if in_file[name] in table.percent}
    lines = [row.line for row in rows]
    return _Columns(columns_of_rows(path, names, rows), lines, in_file, signed)


def _trajectory(path: Path, found: _Columns, metadata: dict[str, Any]) -> Trajectory:
    """The trajectory in the columns, with the errors beside percent signs in their unit."""
    kind = metadata.get("kind", "uncertainty")
    divided, notes = errors_beside_percent(found.table, found.signed, found.names, str(path), kind)
    run = trajectory_of_columns(path, found.table | divided, found.lines, metadata)
    return run.replace(provenance=with_notes(run.provenance, notes)) if notes else run


def _row(cells: list[str], names: list[str], path: Path, line: int) -> Row:
    named = zip(names, cells, strict=True)
    return Row(line, [_number(cell, name, f"{path}:{line}") for name, cell in named])


def _number(cell: str, name: str, where: str) -> float | None:
    if not cell.strip():
        return None
    try:
        return parse_number(cell, f"{where}: column '{name}'")
    except TrajectoryError as error:
        raise TrajectoryError(str(error), hint=cell_hint(name, cell)) from error
