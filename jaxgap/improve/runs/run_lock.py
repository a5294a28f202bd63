"""One process at a time on a RUN folder."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

from jaxgap.errors import InputError
from jaxgap.run_files import LOCK_FILE

_HELD = (errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES)
_TRIES, _BETWEEN = 10, 0.01  # seconds


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Lock the folder; the lock is released when the process ends, however it dies.

    **Raises:** `InputError` naming the process that holds it, or if the lock file is a link, or the
    file system does not support locks.
    """
    # In a folder from someone else, a link may point to any of the user's files.
    descriptor = _open(folder / LOCK_FILE, os.O_RDWR | os.O_CREAT)
    try:
        try:
            _lock(descriptor)
        except OSError as error:
            if error.errno not in _HELD:
                reason = os.strerror(error.errno or 0)
                raise InputError(
                    f"{folder} cannot be locked ({reason}): take a folder on a file system with "
                    "locks, as Lustre has when mounted with -o flock"
                ) from error
            holder = os.pread(descriptor, 200, 0).decode(errors="replace").strip()
            raise InputError(
                f"{folder} is in use by {holder or 'another process'}: let it end, or stop it"
            ) from None
        os.truncate(descriptor, 0)
        os.pwrite(descriptor, f"process {os.getpid()} on {socket.gethostname()}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int) -> None:
    """Take the lock, if it is free within a moment: `is_locked` holds it while it looks."""
    for tries_left in reversed(range(_TRIES)):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in _HELD or not tries_left:
                raise
            time.sleep(_BETWEEN)
        else:
            return


def is_locked(folder: Path) -> bool:
    """Whether a process holds the lock; False on a file system without locks."""
    try:
        descriptor = _open(folder / LOCK_FILE, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno in _HELD
    finally:
        os.close(descriptor)
    return False


def _open(path: Path, flags: int) -> int:
    try:
        return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK, 0o666)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise InputError(f"{path} is a link, and is not followed: remove it") from None
        raise
