"""Trajectories as JSON lines: the metadata in the first line, then one object per measurement.

    {"trajectory": {"kind": "uncertainty", "num_items": null, "time_unit": "epoch"}}
    {"t": 0.0, "solver": 1.2, "verifier": 0.8}

The first line may be absent.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np

from jaxgap.atomic_files import write_atomically
from jaxgap.trajectory.metadata import HEADER, checked_metadata, with_given
from jaxgap.trajectory.outside import json_objects, shown
from jaxgap.trajectory.record import Trajectory, TrajectoryError
from jaxgap.trajectory.rows import (
    Row,
    cell_hint,
    checked_names,
    columns_of_rows,
    trajectory_of_columns,
)


def read_jsonl(path: str | Path, **metadata: Any) -> Trajectory:
    """Read a trajectory from JSON lines.

    **Arguments:**

    - `path`: the file; a column that a line omits, or gives as `null`, is empty there.
    - `metadata`: `kind`, `num_items`, `time_unit`, `provenance`, overriding the file's.

    **Returns:** the trajectory; columns with other names are its extra measurements.

    **Raises:** `TrajectoryError`, as :func:`jaxgap.trajectory.read_csv` does.
    """
    path = Path(path)
    objects = list(json_objects(path))
    header: dict[str, Any] = {}
    if objects and HEADER in objects[0][1]:
        number, first = objects.pop(0)
        header = checked_metadata(first[HEADER], f"{path}:{number}")
    written = list(dict.fromkeys(name for _, fields in objects for name in fields))
    names = checked_names(written, str(path))
    rows = [
        Row(
            number,
            [
                _number(fields.get(key), name, f"{path}:{number}")
                for key, name in zip(written, names, strict=True)
            ],
        )
        for number, fields in objects
    ]
    columns = columns_of_rows(path, names, rows)
    lines = [row.line for row in rows]
    return trajectory_of_columns(path, columns, lines, with_given(header, metadata))


def write_jsonl(run: Trajectory, path: str | Path) -> None:
    """Write a trajectory as JSON lines; reading them restores it exactly.

    **Arguments:**

    - `run`: the trajectory.
    - `path`: the file, replaced if it exists; its folder must exist.

    **Raises:** `InputError` where `path` is a device, a pipe or a folder, and `OSError` where it
    cannot be written.
    """
    columns = {"t" if name == "ts" else name: values for name, values in run.columns().items()}
    lines = [json.dumps({HEADER: run.metadata()})]
    for values in zip(*columns.values(), strict=True):
        cells = (None if np.isnan(value) else float(value) for value in values)
        lines.append(json.dumps(dict(zip(columns, cells, strict=True))))
    write_atomically(path, "\n".join(lines) + "\n")


def _number(value: Any, name: str, where: str) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        text = json.dumps(value)
        raise TrajectoryError(
            f"{where}: column '{name}': must be a number, got {shown(text)}",
            hint=cell_hint(name, text),
        )
    try:
        return float(value)
    except OverflowError as error:
        raise TrajectoryError(
            f"{where}: column '{name}': {shown(str(value))} is too large for a number"
        ) from error
