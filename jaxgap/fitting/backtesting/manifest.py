"""A folder of measured curves, described by its `manifest.csv`.

One line per file: `file, kind, n, time_unit, source`, where `file` is relative to the folder,
`kind` is `uncertainty` or `accuracy`, and `n` is the number of test items of an accuracy, if known;
without it, the number that the file or its sidecar gives counts. Accuracies are taken as percent if
they have percent signs or most of their values are above 1, else as fractions.
"""

import csv
import dataclasses
import io
import itertools
from pathlib import Path

from jaxgap.errors import InputError
from jaxgap.trajectory import Trajectory, TrajectoryError, read_csv
from jaxgap.trajectory.csv_file import read_accuracies
from jaxgap.trajectory.outside import read_text, repeated

_MANIFEST = "manifest.csv"
_MAX_FILES = 10_000
# In place of advice to say which column is which, for which a manifest has no place.
_ADVICE = "; for a backtest, name the columns t and solver, with increasing times and no empty cell"


@dataclasses.dataclass(frozen=True)
class ManifestEntry:
    """One curve: its file as the manifest names it, the run, and its unit.

    `scale` is the number of file units per unit of the run: 100 for accuracies in percent.
    """

    file: str
    run: Trajectory
    scale: float

    @property
    def unit(self) -> str:
        """The file's own unit: `"nats"`, `"fraction"` or `"percent"`."""
        if self.run.kind == "uncertainty":
            return "nats"
        return "fraction" if self.scale == 1 else "percent"


@dataclasses.dataclass(frozen=True)
class UnreadableEntry:
    """A file in the manifest that gives no curve, and why, in one line."""

    file: str
    problem: str


def read_manifest(folder: str | Path) -> list[ManifestEntry | UnreadableEntry]:
    """Every curve in the folder's manifest, in its order.

    **Raises:**

    `InputError`, naming the line, for a manifest that is missing or wrong, or that lists a file
    twice. An unreadable curve does not prevent the others from being read.
    """
    folder = Path(folder)
    entries: dict[Path, ManifestEntry | UnreadableEntry] = {}
    for row, line in enumerate(_lines(folder), start=2):
        where = f"{folder / _MANIFEST}, line {row}"
        entry = _entry(folder, where, line)
        file = (folder / entry.file).resolve()
        if file in entries:
            raise InputError(f"{where}: '{entry.file}' is listed twice: each curve counts once")
        entries[file] = entry
    return list(entries.values())


def manifest_files(folder: str | Path) -> list[Path]:
    """The manifest itself, and the files listed in it.

    **Raises:** `InputError` for a manifest that is missing or cannot be read.
    """
    folder = Path(folder)
    named = [line.get("file") for line in _lines(folder)]
    return [folder / file for file in (_MANIFEST, *filter(None, named))]


def _lines(folder: Path) -> list[dict[str, str | None]]:
    path = folder / _MANIFEST
    if not path.exists():
        raise InputError(f"{path}: no such file; it has to name the curves, one a line")
    text = io.StringIO(read_text(path), newline="")
    try:
        reader = csv.DictReader(text, strict=True)
        twice = repeated(filter(None, reader.fieldnames or ()))
        if twice is not None:
            raise InputError(f"{path}: column '{twice}' is given twice")
        lines = list(itertools.islice(reader, _MAX_FILES + 1))
    except csv.Error as error:
        raise InputError(f"{path}: cannot be read as CSV: {error}") from error
    if not lines:
        raise InputError(f"{path}: names no file")
    if len(lines) > _MAX_FILES:
        raise InputError(f"{path}: names more than {_MAX_FILES} files")
    return lines


def _entry(
    folder: Path, where: str, line: dict[str, str | None]
) -> ManifestEntry | UnreadableEntry:
    name, kind = line.get("file"), line.get("kind")
    if not name or not kind:
        raise InputError(f"{where}: needs a value in each of the columns 'file' and 'kind'")
    if kind not in ("accuracy", "uncertainty"):
        raise InputError(f"{where}: kind must be accuracy or uncertainty, got '{kind}'")
    path = folder / name
    if not path.resolve().is_relative_to(folder.resolve()):
        raise InputError(f"{where}: '{name}' lies outside the folder")
    unit = line.get("time_unit") or "step"
    num_items = _num_items(line.get("n"), where) if kind == "accuracy" else None
    try:
        if kind == "uncertainty":
            run = read_csv(path, kind="uncertainty", num_items=None, time_unit=unit)
            return ManifestEntry(name, run, 1.0)
        given = {} if num_items is None else {"num_items": num_items}
        run, scale = read_accuracies(path, time_unit=unit, **given)
    except TrajectoryError as error:
        problem = error.problem + _ADVICE if "columns=" in error.hint else str(error)
        named = problem if problem.startswith(str(path)) else f"{path}: {problem}"
        return UnreadableEntry(name, named)
    return ManifestEntry(name, run, scale)


def _num_items(cell: str | None, where: str) -> int | None:
    """The number of items, written as `1024` or `1024.0`."""
    if not cell or not cell.strip():
        return None
    try:
        number = float(cell)
    except ValueError:
        number = float("nan")
    if not (number >= 1 and number.is_integer()):
        raise InputError(f"{where}: n must be a positive whole number, got '{cell}'")
    return int(number)
