"""Reading a run from a file or folder of any supported kind."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from jaxgap.run_files import CONFIG_FILE, METRICS_FILE, RUN_TABLE, VERSIONS_FILE
from jaxgap.trajectory.csv_file import read_csv, read_sidecar
from jaxgap.trajectory.jsonl_file import read_jsonl
from jaxgap.trajectory.metadata import with_given
from jaxgap.trajectory.record import Trajectory, TrajectoryError
from jaxgap.trajectory.sources.csv_log import read_csv_log
from jaxgap.trajectory.sources.jsonl_log import read_jsonl_log
from jaxgap.trajectory.sources.log import UNNAMED, Log
from jaxgap.trajectory.sources.select import select
from jaxgap.trajectory.sources.tensorboard import EVENT_FILES, read_tensorboard
from jaxgap.trajectory.sources.trainer_state import read_trainer_state

TRAINER_STATE = "trainer_state.json"


def read_trajectory(
    path: str | Path, columns: Mapping[str, str] | None = None, **metadata: Any
) -> Trajectory:
    """The trajectory in a file or folder, whose format is recognised.

    **Arguments:**

    - `path`: a CSV or JSON lines file (`.jsonl`), the `trainer_state.json` of Hugging Face trainers
        or the folder that contains it (its own, or the latest checkpoint's), a folder of
        TensorBoard events, or a RUN folder of jaxgap (its `trajectory.csv`).
    - `columns`: maps jaxgap's columns to a foreign log's, as `{"t": "step", "solver": "eval/nll"}`.
        Without it a CSV file must have jaxgap's own columns.
    - `metadata`: `kind`, `num_items`, `time_unit`, `provenance`, overriding the file's.

    **Raises:** `TrajectoryError` naming file, line and column; also for a log of several runs,
    which :func:`jaxgap.trajectory.collection.read_runs` reads.
    """
    path = Path(path)
    if columns is None:
        return _read_own(path, **metadata)
    log = read_log(path)
    runs = log.by_run(columns.get("t"))
    if len(runs) > 1:
        named = ", ".join(name or UNNAMED for name in list(runs)[:6])
        raise TrajectoryError(
            f"{path}: contains {len(runs)} runs ({named[:200]}): jaxgap compare reads them all"
        )
    return select(log, columns, **metadata)


def read_log(path: Path) -> Log:
    """A foreign log, whose format is recognised, or the table of a RUN folder of jaxgap."""
    if (path / RUN_TABLE).is_file():
        return read_csv_log(path / RUN_TABLE)
    state = trainer_state_in(path) if path.is_dir() else None
    if state is not None:
        return read_trainer_state(state)
    if path.is_dir():
        if not any(path.glob(EVENT_FILES)):
            raise _without_measurements(path)
        return read_tensorboard(path)
    if path.suffix.lower() == ".json":
        return read_trainer_state(path)
    if path.suffix.lower() == ".jsonl":
        return read_jsonl_log(path)
    return read_csv_log(path)


def measurement_files(folder: Path) -> Iterator[Path]:
    """The files with the measurements of a folder that is a run, or where jaxgap's would be."""
    yield folder / RUN_TABLE
    state = trainer_state_in(folder)
    if state is not None:
        yield state
    yield from folder.glob(EVENT_FILES)


def trainer_state_in(folder: Path) -> Path | None:
    """The trainer's state in its output folder, or in the latest `checkpoint-STEP` there."""
    if (folder / TRAINER_STATE).is_file():
        return folder / TRAINER_STATE
    steps = {
        int(found[1]): child / TRAINER_STATE
        for child in folder.iterdir()
        if (found := re.fullmatch(r"checkpoint-(\d{1,18})", child.name, re.ASCII))
        and (child / TRAINER_STATE).is_file()
    }
    return steps[max(steps)] if steps else None


def _read_own(path: Path, **metadata: Any) -> Trajectory:
    """A file in jaxgap's own format, whose columns need no mapping."""
    own = path / RUN_TABLE if path.is_dir() else path
    if own.is_file() and own.suffix.lower() not in (".json", ".jsonl"):
        return read_csv(own, **metadata)
    if path.suffix.lower() == ".jsonl":
        return read_jsonl(path, **with_given(_run_metadata(path), metadata))
    if not path.exists():
        raise TrajectoryError(f"{path}: no such file")
    if not (path.is_file() or path.is_dir()):
        raise TrajectoryError(f"{path}: not a file")
    if path.is_dir() and (
        _is_run_of_jaxgap(path) or not any(file.is_file() for file in measurement_files(path))
    ):
        raise _without_measurements(path)
    raise TrajectoryError(
        f"{path}: say which of its columns is which, as in "
        "columns={'t': 'step', 'solver': 'eval/nll'}"
    )


def _without_measurements(folder: Path) -> TrajectoryError:
    if _is_run_of_jaxgap(folder):
        return TrajectoryError(f"{folder}: no {RUN_TABLE} yet: a fit needs three checkpoints")
    return TrajectoryError(
        f"{folder}: there is no run or log in this folder: no {RUN_TABLE}, no {TRAINER_STATE}, "
        "no TensorBoard events; name another folder, or a file"
    )


def _is_run_of_jaxgap(folder: Path) -> bool:
    # A folder of a model has a config.json too.
    return all((folder / name).is_file() for name in (CONFIG_FILE, VERSIONS_FILE))


def _run_metadata(path: Path) -> dict[str, Any]:
    # The lines of a RUN folder have no header; the table beside them has the metadata.
    return read_sidecar(path.parent / RUN_TABLE) if path.name == METRICS_FILE else {}
