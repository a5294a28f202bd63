"""Output files: checked before the work begins, written atomically at its end."""

import contextlib
import itertools
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from jaxgap.errors import InputError

_PLOT = "--plot"


def check_outputs(read: Sequence[Path] = (), **outputs: Path | None) -> None:
    """Refuse output files that could not be written, before minutes are spent on their content.

    **Arguments:**

    - `read`: the files and folders of runs that the command reads, which no output may replace.
    - `outputs`: each file by its option's name without the dashes; None if it is not requested.

    **Raises:** `InputError`.
    """
    held = {path for file in read for path in _held(file)}
    given = {f"--{option}": path for option, path in outputs.items() if path is not None}
    for option, path in given.items():
        _check_writable(path, option)
        if _place(path) in held:
            raise InputError(f"{option} {path}: is one of the files read; name another file")
        if option == _PLOT and path.suffix.lower() not in ("", ".png"):
            raise InputError(f"{option} {path}: plots are written as PNG; name it .png")
    for (one, path), (other, again) in itertools.combinations(given.items(), 2):
        if _is_replaced(path) and _place(path) == _place(again):
            raise InputError(f"{one} and {other} name the same file, {path}")


def write_output(data: bytes, path: Path) -> None:
    """Replace a file atomically; write to a pipe or device (`/dev/stdout`) directly."""
    from jaxgap.atomic_files import replace_file

    if _is_replaced(path):
        replace_file(_place(path), data)
    else:
        path.write_bytes(data)


def write_json(result: dict[str, Any], path: Path | None) -> None:
    """Write a result as strict JSON, without NaN."""
    if path is not None:
        write_output((json.dumps(result, indent=2, allow_nan=False) + "\n").encode(), path)


def _check_writable(path: Path, option: str) -> None:
    if path.is_dir():
        raise InputError(f"{option} {path}: is a folder; name a file")
    if not path.parent.is_dir():
        raise InputError(f"{option} {path}: there is no folder {path.parent}; create it first")
    # A file is first written to a temporary one beside it, so its folder must be writable.
    if (path.exists() and not os.access(path, os.W_OK)) or (
        _is_replaced(path) and not _takes_files(_place(path).parent)
    ):
        raise InputError(f"{option} {path}: cannot be written; choose another file")


def _takes_files(folder: Path) -> bool:
    """Whether a file can be created in a folder; root may write where the system allows none."""
    import tempfile

    try:
        tempfile.TemporaryFile(dir=folder).close()
    except OSError:
        return False
    return True


def _is_replaced(path: Path) -> bool:
    return path.is_file() or not path.exists()


def _held(path: Path) -> Iterator[Path]:
    """The files that a run is read from, and those that would be read as a part of it."""
    from jaxgap.trajectory.csv_file import sidecar_path
    from jaxgap.trajectory.read import measurement_files

    # A folder that cannot be listed cannot be read either; its reader reports that.
    with contextlib.suppress(OSError):
        for file in measurement_files(path) if path.is_dir() else [path]:
            yield _place(file)
            # Any other file is read as a CSV table, which may have a sidecar.
            if file.suffix.lower() not in (".json", ".jsonl"):
                yield _place(sidecar_path(file))


def _place(path: Path) -> Path:
    """The real path; unlike `Path.resolve`, also for a loop of links, which reading refuses."""
    return Path(os.path.realpath(path))
