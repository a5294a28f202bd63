"""Attempts to break out of a session, made at its beginning; each must fail.

An untested wall may not stand: the kernel may lack a feature, or an enclosing container may handle
a call in its own way. So each session first tests the walls, with raw system calls where Python has
checks of its own.
"""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import resource
import socket
from collections.abc import Callable

_PEEK = 2  # reads the memory of a traced process; without one it just fails
_TEST_ONLY = 0  # the signal number that only asks whether a signal could be sent


def broken_walls(most_memory: int) -> list[str]:
    """Forbidden actions that succeeded in this process; empty if the walls stand.

    **Arguments:**

    - `most_memory`: the most bytes of address space allowed.
    """
    attempts: dict[str, Callable[[], object]] = {
        "read a directory": lambda: os.listdir("/"),
        "open a file": lambda: os.open("/proc/self/environ", os.O_RDONLY),
        "make a file": lambda: os.open("/tmp", os.O_TMPFILE | os.O_WRONLY, 0o600),
        "open a socket": lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM),
        "open a local socket": lambda: socket.socketpair(),
        "start a process": _fork,
        "run a program": _execute,
        "signal its parent": lambda: os.kill(os.getppid(), _TEST_ONLY),
        "signal everything": lambda: os.kill(-1, _TEST_ONLY),
        "raise its limits": lambda: resource.setrlimit(resource.RLIMIT_CPU, (10**6, 10**6)),
        "trace a process": lambda: _libc_call("ptrace", _PEEK, os.getppid(), 0, 0),
        "enter a namespace": lambda: _libc_call("unshare", 0x10000000),
        "take unlimited memory": lambda: mmap.mmap(-1, most_memory),
    }
    return [name for name, attempt in attempts.items() if _succeeds(attempt)]


def _succeeds(attempt: Callable[[], object]) -> bool:
    try:
        attempt()
    except (OSError, ValueError, MemoryError):
        return False
    return True


def _fork() -> None:
    if os.fork() == 0:
        os._exit(0)


def _execute() -> None:
    """Run a missing program: a process that may run programs is told that it does not exist."""
    try:
        os.execv("/no/such/program", ["program"])
    except FileNotFoundError:
        return


def _libc_call(name: str, *arguments: int) -> None:
    """Call a function of libc; raise only if the call is not permitted, not for other errors."""
    libc = ctypes.CDLL(None, use_errno=True)
    if getattr(libc, name)(*arguments) == -1 and ctypes.get_errno() == errno.EPERM:
        raise PermissionError(errno.EPERM, name)
