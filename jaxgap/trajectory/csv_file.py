"""Trajectories as CSV, with the rest of the record in a sidecar file.

`run.csv` contains `t, solver[, verifier, solver_se, verifier_se, ...]`, one row per measurement;
`run.csv.json` beside it contains the kind, number of test items, time unit and provenance.
"""

import csv
import io
import json
from pathlib import Path
from typing import Any

import numpy as np

from jaxgap.trajectory.atomic import write_atomically
from jaxgap.trajectory.metadata import checked_metadata, with_given
from jaxgap.trajectory.outside import parse_json, parse_number, read_text
from jaxgap.trajectory.percent_signs import errors_beside_percent
from jaxgap.trajectory.reading_notes import with_notes
from jaxgap.trajectory.record import Trajectory, TrajectoryError
from jaxgap.trajectory.rows import Row, cell_hint, checked_names, trajectory_from_rows
from jaxgap.trajectory.table import read_table


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
    standard errors, and errors that may be points or fractions beside a series in percent.
    """
    path = Path(path)
    table = read_table(path)
    names = checked_names(table.names, f"{path}:{table.line}")
    rows = [_row(cells, names, path, line) for line, cells in table.rows]
    run = trajectory_from_rows(path, names, rows, with_given(read_sidecar(path), metadata))
    in_file = dict(zip(names, table.names, strict=True))
    signed = {name for name in names if in_file[name] in table.percent}
    divided, notes = errors_beside_percent(run.columns(), signed, in_file, str(path))
    if not divided:
        return run
    return run.replace(**divided, provenance=with_notes(run.provenance, notes))


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


def _row(cells: list[str], names: list[str], path: Path, line: int) -> Row:
    named = zip(names, cells, strict=True)
    return Row(line, [_number(cell, name, f"{path}:{line}") for name, cell in named])


def _number(cell: str, name: str, where: str) -> float | None:
    if not cell.strip():
        return None
    try:
        return parse_number(cell, f"{where}: column '{name}'")
    except TrajectoryError as error:
        raise TrajectoryError(f"{error}{cell_hint(name, cell)}") from error
