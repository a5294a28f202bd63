"""The container's side: prepare, put up the walls, then fork a fresh child for each session.

The server holds nothing that a session may not know. It forks the child first, and only the child
reads the session's requests, from the session's own socket; so no child finds another session's
requests in its memory. It is run by :class:`jaxgap.tasks.sandbox.Sandbox` as

    python -c "... from jaxgap.tasks.sandbox.server import main; main(CONTROL)"

where CONTROL is the descriptor of a socket to the owner, who first sends the setup and then
one-byte orders: `S` with a descriptor (start a session over it), `E` (end the session). When the
owner closes the socket, or dies, the server ends, and with it everything in its namespaces.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib
import json
import os
import resource
import signal
import socket
import sys
from collections.abc import Callable
from typing import Any, NoReturn, TypeAlias

from jaxgap.tasks.sandbox.frames import Closed, read_frame, write_frame
from jaxgap.tasks.sandbox.memory_import import import_from_memory
from jaxgap.tasks.sandbox.namespaces import enter_namespaces, give_up_root
from jaxgap.tasks.sandbox.probes import broken_walls
from jaxgap.tasks.sandbox.seccomp import install_filter

Handler: TypeAlias = Callable[[bytes], bytes]
"""Answers one request of a session; it may keep state, which is fresh in each session."""

START, END = b"S", b"E"
_PR_SET_PDEATHSIG = 1
_MEBIBYTE = 2**20
_CHANNEL = 3


def main(control_fd: int) -> NoReturn:
    """Serve sessions until the owner closes the control socket."""
    setup = json.loads(read_frame(control_fd))
    try:
        handler = _prepare(setup)
        limits = _resource_limits(setup)
        null = os.open(os.devnull, os.O_RDWR)
        give_up_root()
        refusal = _try_namespaces()
        _become_first_child()
    except Exception as error:
        write_frame(control_fd, json.dumps({"error": f"{type(error).__name__}: {error}"}).encode())
        os._exit(1)
    gc.freeze()
    write_frame(control_fd, json.dumps({"why": refusal}).encode())
    _serve(socket.socket(fileno=control_fd), handler, limits, null)
    os._exit(0)


def _prepare(setup: dict[str, Any]) -> Handler:
    """Make the handler with everything it may ever import, while files are still accessible."""
    module, _, function = setup["handler"].partition(":")
    handler = getattr(importlib.import_module(module), function)(**setup["arguments"])
    import_from_memory(setup["packages"])
    return handler


def _resource_limits(setup: dict[str, Any]) -> dict[int, int]:
    """The kernel's limits on one session; the server itself has none."""
    with open("/proc/self/statm") as file:
        own_memory = int(file.read().split()[0]) * resource.getpagesize()
    return {
        resource.RLIMIT_AS: own_memory + setup["memory_mebibytes"] * _MEBIBYTE,
        resource.RLIMIT_CPU: setup["cpu_seconds"],
        resource.RLIMIT_NPROC: 0,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_MEMLOCK: 0,
        resource.RLIMIT_MSGQUEUE: 0,
        resource.RLIMIT_NOFILE: _CHANNEL + 1,
    }


def _try_namespaces() -> str | None:
    """Put up the second wall; return the reason if the kernel does not allow it."""
    try:
        enter_namespaces()
    except OSError as error:
        return error.strerror
    return None


def _become_first_child() -> None:
    """Continue as the first process of the new PID namespace, which ends with its parent."""
    child = os.fork()
    if child:
        _, status = os.waitpid(child, 0)
        os._exit(os.waitstatus_to_exitcode(status) & 0xFF)
    _die_with_parent()


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def _serve(control: socket.socket, handler: Handler, limits: dict[int, int], null: int) -> None:
    child = None
    while True:
        order, descriptors, _, _ = socket.recv_fds(control, 1, 1)
        if order != START and child is not None:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            child = None
        if not order:
            return
        if order == START:
            child = os.fork()
            if child == 0:
                _run_session(descriptors[0], handler, limits, null)
            os.close(descriptors[0])
        control.sendall(order)


def _run_session(channel: int, handler: Handler, limits: dict[int, int], null: int) -> NoReturn:
    """In the child: install limits and filter, then answer requests until the channel closes."""
    try:
        _die_with_parent()
        _keep_only(channel, null)
        for kind, most in limits.items():
            resource.setrlimit(kind, (most, most))
        sys.stdin = os.fdopen(0, "r", closefd=False)
        sys.stdout, sys.stderr = (os.fdopen(fd, "w", closefd=False) for fd in (1, 2))
        os.environ.clear()
        install_filter()
        write_frame(_CHANNEL, json.dumps(broken_walls(limits[resource.RLIMIT_AS])).encode())
        with contextlib.suppress(Closed, OSError):
            while True:
                write_frame(_CHANNEL, handler(read_frame(_CHANNEL)))
    finally:
        os._exit(1)


def _keep_only(channel: int, null: int) -> None:
    """Keep only descriptors 0 (at end of file), 1 and 2 (discarded) and 3 (the owner)."""
    channel, null = (os.dup2(fd, high) for fd, high in ((channel, 100), (null, 101)))
    at_its_end, other_side = os.pipe()
    os.dup2(at_its_end, 0)
    for fd, target in ((null, 1), (null, 2), (channel, _CHANNEL)):
        os.dup2(fd, target)
    os.closerange(_CHANNEL + 1, os.sysconf("SC_OPEN_MAX"))
    del other_side
