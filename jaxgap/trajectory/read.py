"""Reading a run from wherever a user has it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jaxgap.trajectory.csv_file import read_csv
from jaxgap.trajectory.jsonl_file import read_jsonl
from jaxgap.trajectory.record import Trajectory, TrajectoryError
from jaxgap.trajectory.sources.csv_log import read_csv_log
from jaxgap.trajectory.sources.select import select
from jaxgap.trajectory.sources.tensorboard import read_tensorboard
from jaxgap.trajectory.sources.trainer_state import read_trainer_state


def read_trajectory(
    path: str | Path, columns: Mapping[str, str] | None = None, **metadata: Any
) -> Trajectory:
    """The trajectory in a file or folder, by what it is.

    **Arguments:**

    - `path`: a CSV file, JSON lines (`.jsonl`), the `trainer_state.json` of a Hugging Face trainer,
        a folder of TensorBoard events, or a RUN folder of jaxgap (its `trajectory.csv`).
    - `columns`: which column of a foreign log is which, as `{"t": "step", "solver": "eval/nll"}`.
        Without it a CSV file must have jaxgap's own columns.
    - `metadata`: `kind`, `num_items`, `time_unit`, `provenance`, in place of the file's.

    **Raises:** `TrajectoryError` naming file, line and column.
    """
    path = Path(path)
    own = path / "trajectory.csv" if path.is_dir() else path
    if columns is None and own.is_file() and own.suffix not in (".json", ".jsonl"):
        return read_csv(own, **metadata)
    if columns is None and path.suffix == ".jsonl":
        return read_jsonl(path, **metadata)
    if columns is None:
        _refuse_without_columns(path)
    return select(_read_log(path), columns or {}, **metadata)


def _read_log(path: Path):
    if path.is_dir():
        return read_tensorboard(path)
    if path.suffix == ".json":
        return read_trainer_state(path)
    return read_csv_log(path)


def _refuse_without_columns(path: Path) -> None:
    if not path.exists():
        raise TrajectoryError(f"{path}: no such file")
    raise TrajectoryError(
        f"{path}: say which of its columns is which, as in --columns t=step,solver=eval/nll"
    )
