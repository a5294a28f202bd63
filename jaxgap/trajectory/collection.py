"""Many runs at once: a folder of them, several files, or one log with several.

A run that cannot be read does not stop the others: it is reported with its problem.
"""

import dataclasses
import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from jaxgap.errors import InputError, printable
from jaxgap.run_files import RUN_TABLE
from jaxgap.trajectory.computable import check_computable
from jaxgap.trajectory.read import TRAINER_STATE, measurement_files, read_log, read_trajectory
from jaxgap.trajectory.record import Trajectory, TrajectoryError
from jaxgap.trajectory.rows import naming, own_columns
from jaxgap.trajectory.sources.log import UNNAMED, Log
from jaxgap.trajectory.sources.select import select
from jaxgap.trajectory.sources.split import split

MAX_RUNS = 1000
_TABLES = (".csv", ".jsonl")
_NUMBER = re.compile(r"(\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)", re.ASCII)
# Lists the curves in the folders that `jaxgap backtest` reads.
_NO_RUN = "manifest.csv"


@dataclasses.dataclass(frozen=True)
class NamedRun:
    """A run, its name in tables, and where it was read from.

    `full_name` is the name with its folder, whatever else was read; empty where there is none.
    """

    name: str
    path: Path
    run: Trajectory
    full_name: str = ""


@dataclasses.dataclass(frozen=True)
class Unreadable:
    """What could not be read, and why in one line."""

    path: Path
    problem: str


@dataclasses.dataclass(frozen=True)
class Collection:
    """The runs that were found, and what could not be read."""

    runs: tuple[NamedRun, ...]
    unreadable: tuple[Unreadable, ...]


def read_runs(
    paths: Sequence[str | Path], columns: Mapping[str, str] | None = None, **metadata: Any
) -> Collection:
    """Every run in the given files and folders.

    A folder that is a run itself (`trajectory.csv`, a trainer's state, TensorBoard events) is one
    run; any other is searched for CSV and JSONL files, trainer states and such folders, in the
    order of their names, with numbers in them by value. A log with a run column, or with columns
    named `RUN - METRIC` as W&B exports them, contains several runs.

    **Arguments:**

    - `paths`: files and folders.
    - `columns`, `metadata`: as for :func:`jaxgap.trajectory.read.read_trajectory`, for all of them.

    **Returns:**

    A :class:`Collection`. Run names are unique: the files' stems, extended by as much of the path
    or of the run's name in the log as tells them apart.

    **Raises:** `InputError` if there is nothing to read, or more than a thousand runs.
    """
    found: list[tuple[Path, str, Trajectory]] = []
    unreadable = []
    for path in _distinct(paths, unreadable):
        try:
            for name, run_or_problem in _runs_in(path, columns, **metadata):
                if isinstance(run_or_problem, Trajectory):
                    with naming(path):
                        check_computable(run_or_problem)
                    found.append((path, name, run_or_problem))
                else:
                    unreadable.append(Unreadable(path, run_or_problem))
        except TrajectoryError as error:
            problem = str(error)
            named = problem if problem.startswith(str(path)) else f"{path}: {problem}"
            unreadable.append(Unreadable(path, named))
        except OSError as error:
            unreadable.append(Unreadable(path, f"{path}: cannot be read: {error.strerror}"))
        if len(found) > MAX_RUNS:
            raise InputError(f"{path}: more than {MAX_RUNS} runs; compare fewer at a time")
    if not found and not unreadable:
        raise InputError(f"{', '.join(map(str, paths))[:200]}: there is no run in it")
    names = _names([(path, name) for path, name, _ in found])
    runs = [
        NamedRun(printable(name), path, run, printable(_full_name(path, own_name)))
        for name, (path, own_name, run) in zip(names, found, strict=True)
    ]
    return Collection(tuple(runs), tuple(unreadable))


def _distinct(paths: Sequence[str | Path], unreadable: list[Unreadable]) -> list[Path]:
    """Every file and folder that is treated as a run, once."""
    files: dict[Path, None] = {}
    for path in map(Path, paths):
        try:
            files |= dict.fromkeys(_files(path))
        except OSError as error:
            problem = f"{path}: cannot be read: {error.strerror}"
            unreadable.append(Unreadable(path, problem))
    return list(files)


def _files(path: Path) -> list[Path]:
    """The path itself if it is a run, else everything in it that looks like one."""
    if path.suffix.lower() == ".json" and path.with_suffix("").is_file():
        # A sidecar: shell wildcards match them too.
        return []
    if not path.is_dir() or _is_run(path):
        return [path]
    shown = (child for child in path.iterdir() if not child.name.startswith("."))
    children = sorted(shown, key=lambda child: _by_value(child.name))
    if len(children) > 10 * MAX_RUNS:
        raise InputError(f"{path}: {len(children)} files; name those to compare")
    return [child for child in children if _may_be_run(child)]


def _by_value(name: str) -> tuple[list[str | float], str]:
    """A key that orders names as people do: `lr2` before `lr10`, and `lr1e-4` before `lr0.05`."""
    texts_and_numbers = _NUMBER.split(name)
    numbers = map(float, texts_and_numbers[1::2])
    key: list[str | float] = [*texts_and_numbers]
    key[1::2] = numbers
    return key, name


def _may_be_run(path: Path) -> bool:
    if path.suffix.lower() in _TABLES or path.name.endswith(TRAINER_STATE):
        return path.name != _NO_RUN
    return path.is_dir() and os.access(path, os.R_OK | os.X_OK) and _is_run(path)


def _is_run(folder: Path) -> bool:
    """Whether a folder is one run, and not a folder of runs."""
    return any(file.is_file() for file in measurement_files(folder))


def _runs_in(
    path: Path, columns: Mapping[str, str] | None, **metadata: Any
) -> Iterator[tuple[str, Trajectory | str]]:
    """The runs of one file by name: each a trajectory, or the reason why it cannot be read."""
    if columns is not None:
        return _runs_of(read_log(path), columns, **metadata)
    try:
        return iter([("", read_trajectory(path, **metadata))])
    except TrajectoryError:
        if path.suffix.lower() not in _TABLES:
            raise
        # It may be a tidy table of several runs that names its columns as jaxgap does.
        log = read_log(path)
        columns = own_columns(log.names)
        if len(log.by_run(columns.get("t"))) < 2:
            raise
    return _runs_of(log, columns, **metadata)


def _runs_of(
    log: Log, columns: Mapping[str, str], **metadata: Any
) -> Iterator[tuple[str, Trajectory | str]]:
    runs = split(log, columns)
    for name, (own, wanted) in runs.items():
        try:
            yield name, select(own, wanted, **metadata)
        except TrajectoryError as error:
            if len(runs) == 1:
                raise
            yield name, f"run '{name or UNNAMED}': {error}"


def _names(found: Sequence[tuple[Path, str]]) -> list[str]:
    """The shortest name of each run that tells it from the others."""
    many_files = len({path for path, _ in found}) > 1
    short = []
    for path, run in found:
        parts = [_stem(path), run] if many_files or not run else [run]
        short.append(": ".join(filter(None, parts)))
    counts = Counter(short)
    return [
        name if counts[name] == 1 else ": ".join(filter(None, (str(path), run)))
        for name, (path, run) in zip(short, found, strict=True)
    ]


def _full_name(path: Path, run: str) -> str:
    """The name of a run with its folder."""
    place = path.parent if path.name in (RUN_TABLE, TRAINER_STATE) else path
    folder = os.path.dirname(os.path.abspath(place))
    return ": ".join(filter(None, (os.path.join(folder, _stem(path)), run)))


def _stem(path: Path) -> str:
    """A file's name without its suffix, or its folder's name if the file has a fixed name."""
    if path.name in (RUN_TABLE, TRAINER_STATE):
        return path.resolve().parent.name
    if path.is_dir():
        # "." and ".." have no name of their own.
        return (path if path.name.strip(".") else path.resolve()).name
    return path.stem
