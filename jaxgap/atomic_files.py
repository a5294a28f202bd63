"""Files that are replaced entirely or not at all."""

import os
import tempfile
from pathlib import Path

from jaxgap.errors import InputError


def write_atomically(path: str | Path, text: str) -> None:
    """Replace the file at `path` by `text`, in UTF-8, in one step: see :func:`replace_file`."""
    replace_file(path, text.encode("utf-8"))


def replace_file(path: str | Path, data: bytes) -> None:
    """Replace the file at `path` by `data` in one step.

    The data are written to a temporary file in the same folder, flushed to disk, and renamed over
    `path`: a reader finds either the old file or the new one, even if the writer dies. A symbolic
    link is replaced and its target left alone, since a RUN folder may come from a stranger.

    **Raises:** `InputError` where `path` is a device, a pipe or a folder, which no file replaces;
    `OSError` with the name of `path`, whatever file the system refused.
    """
    path = Path(path)
    if path.exists() and not path.is_file():
        raise InputError(f"{path}: is no regular file; name another place")
    try:
        _replace(path, data)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error


def _replace(path: Path, data: bytes) -> None:
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, 0o666 & ~current_umask())
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def current_umask() -> int:
    """The process's umask, which can only be read by setting it."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
