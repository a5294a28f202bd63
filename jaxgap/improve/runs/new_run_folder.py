"""Which folders a new run may be kept in."""

from __future__ import annotations

from pathlib import Path

from jaxgap.errors import InputError
from jaxgap.run_files import CONFIG_FILE, LOCK_FILE, OWN_PARTS_FILE


def empty_folder(folder: str | Path) -> Path:
    """A folder for a new run, created if missing.

    **Raises:** `InputError` if it is not empty, or cannot be created.
    """
    folder = require_free(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder} cannot be made a RUN folder: {error.strerror}") from error
    return folder


def require_free(folder: str | Path) -> Path:
    """Reject a folder that contains anything; a missing one is fine.

    So are the remains of a run that ended before it wrote its settings.

    **Raises:** `InputError`.
    """
    folder = without_run(Path(folder))
    if folder.is_symlink() and not folder.exists():
        raise InputError(f"{folder} cannot be made a RUN folder: it is a link to nothing")
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} cannot be made a RUN folder: it is a file")
    if folder.is_dir() and any(not _is_left_over(path) for path in folder.iterdir()):
        raise InputError(f"{folder} is not empty: use a new folder, or remove this one")
    return folder


def _is_left_over(path: Path) -> bool:
    being_written = (f".{CONFIG_FILE}.", f".{OWN_PARTS_FILE}.")
    return path.name in (LOCK_FILE, OWN_PARTS_FILE) or path.name.startswith(being_written)


def without_run(folder: Path) -> Path:
    """Reject a folder that contains a run.

    **Raises:** `InputError`.
    """
    if (folder / CONFIG_FILE).exists():
        advice = f"resume it with `resume_folder({str(folder)!r})`"
        raise InputError(f"{folder} already contains a run: {advice}")
    return folder
