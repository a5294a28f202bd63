"""The owner's side of a container."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import logging
import os
import socket
import subprocess
import sys
import time
import weakref
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NoReturn

from jaxgap.errors import InputError
from jaxgap.tasks.child_program import child_program
from jaxgap.tasks.sandbox.frames import Closed, Late, TooLong, receive_before, send_before
from jaxgap.tasks.sandbox.limits import Limits
from jaxgap.tasks.sandbox.seccomp import supported

_logger = logging.getLogger(__name__)

START, END = b"S", b"E"
_START_SECONDS = 120.0  # importing large packages on a busy machine
_ORDER_SECONDS = 30.0  # forking or killing one child

# A process with threads, which these libraries start, cannot enter a user namespace; the hash seed
# makes programs that depend on the order of sets reproducible.
_ENVIRONMENT = {
    "PYTHONHASHSEED": "0",
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
}


class SandboxUnavailable(InputError):
    """Untrusted text cannot be run safely on this machine."""


class SessionEnded(Exception):
    """A session died, or reached a limit; the message says which."""


@dataclasses.dataclass(frozen=True)
class Isolation:
    """Which walls isolate a container.

    The system-call filter and the limits are always active: nothing runs without them.

    **Fields:**

    - `namespaces`: whether it has namespaces of its own and an empty root.
    - `why_not`: the kernel's reason if it has not.
    """

    namespaces: bool
    why_not: str | None

    def __str__(self) -> str:
        second = "namespaces" if self.namespaces else f"no namespaces ({self.why_not})"
        return f"system-call filter, resource limits, {second}"


class Session:
    """A fresh process in a container, which answers requests until it is ended."""

    def __init__(self, channel: socket.socket, limits: Limits):
        self._channel, self._limits = channel, limits
        self._deadline: float | None = None

    def ask(self, request: bytes) -> bytes:
        """The handler's reply to one request.

        **Raises:** `SessionEnded` if it died, or the reply is late or too long. Earlier replies of
        the session must then be discarded.
        """
        # Counted from the first request, since another container may have to start in between.
        if self._deadline is None:
            self._deadline = time.monotonic() + self._limits.wall_seconds
        deadline = self._deadline
        try:
            if time.monotonic() > deadline:
                raise Late
            send_before(self._channel, request, deadline)
            return receive_before(self._channel, deadline, self._limits.reply_bytes)
        except Closed:
            raise SessionEnded("the process died") from None
        except Late:
            raise SessionEnded(f"no reply in {self._limits.wall_seconds:g} seconds") from None
        except TooLong:
            raise SessionEnded(f"a reply of over {self._limits.reply_bytes} bytes") from None


class Sandbox:
    """One container, which runs one session at a time. It starts when first needed.

    **Arguments:**

    - `handler`: `"module:function"`; called in the container with `arguments`, before the walls are
        up, it returns the function from bytes to bytes that answers each request of a session.
    - `arguments`: JSON-serialisable keyword arguments of the function.
    - `packages`: what the handler may import besides the standard library.
    - `limits`: the limits on one session.

    A session is a context manager; its process is killed on exit:

        with Sandbox("jaxgap.tasks.programs.interpreter:make_handler") as sandbox:
            with sandbox.session() as session:
                session.ask(request)
    """

    def __init__(
        self,
        handler: str,
        arguments: Mapping[str, Any] | None = None,
        packages: Sequence[str] = (),
        limits: Limits | None = None,
    ):
        self.limits = limits or Limits()
        self._setup = {
            "handler": handler,
            "arguments": dict(arguments or {}),
            "packages": list(packages),
            "memory_mebibytes": self.limits.memory_mebibytes,
            "cpu_seconds": self.limits.cpu_seconds,
        }
        self._isolation: Isolation | None = None
        self._control: socket.socket | None = None
        self._stop: weakref.finalize | None = None

    def __enter__(self) -> Sandbox:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    @property
    def isolation(self) -> Isolation:
        """Which walls stand.

        **Raises:** `SandboxUnavailable`.
        """
        with self.session():
            assert self._isolation is not None
            return self._isolation

    @contextlib.contextmanager
    def session(self) -> Iterator[Session]:
        """A fresh process, killed on exit.

        **Raises:** `SandboxUnavailable` if the walls cannot be put up here, or on exit if the
        container died meanwhile, which nothing that runs in a session can cause.
        """
        with self._begin() as channel:
            try:
                yield Session(channel, self.limits)
            finally:
                if not self._order(END):
                    self._refuse("the container died; the machine may be out of memory")

    def close(self) -> None:
        """End the container; the next session restarts it."""
        if self._stop is not None:
            self._stop()
        self._control = self._stop = None

    def _begin(self) -> socket.socket:
        """The owner's end of a new session's channel, once the session has tested its walls."""
        channel = self._try_to_begin()
        if channel is None:
            # This is the first session, or the kernel killed the container for lack of memory.
            self.close()
            self._start()
            channel = self._try_to_begin()
        if channel is None:
            self._refuse("a session dies before it begins; the kernel may lack seccomp filters")
        return channel

    def _try_to_begin(self) -> socket.socket | None:
        """As `_begin`, but None if there is no container, or it does not answer.

        **Raises:** `SandboxUnavailable` if the session could break out.
        """
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        with theirs:
            begun = self._order(START, theirs)
        try:
            deadline = time.monotonic() + _ORDER_SECONDS
            broken = json.loads(receive_before(ours, deadline)) if begun else None
        except (Closed, Late):
            broken = None
        if broken:
            ours.close()
            self._refuse(f"a session in the container could {', '.join(broken)}")
        if broken is None:
            ours.close()
            return None
        return ours

    def _start(self) -> None:
        if not supported():
            raise SandboxUnavailable(
                "untrusted text cannot be run safely here: it takes Linux on x86-64 or arm64"
            )
        ours, theirs = socket.socketpair()
        start = child_program("jaxgap.tasks.sandbox.server", f"main({theirs.fileno()})")
        kept = {name: os.environ[name] for name in ("LD_LIBRARY_PATH",) if name in os.environ}
        with theirs:
            process = subprocess.Popen(
                [sys.executable, "-s", "-S", "-P", "-B", "-c", start],
                env=_ENVIRONMENT | kept,
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        self._control, self._stop = ours, weakref.finalize(self, _stop, ours, process)
        self._isolation = self._first_words(ours)

    def _first_words(self, control: socket.socket) -> Isolation:
        """The isolation that the server reports once it is ready, after the second wall."""
        deadline = time.monotonic() + _START_SECONDS
        control.setblocking(False)
        try:
            send_before(control, json.dumps(self._setup).encode(), deadline)
            words = json.loads(receive_before(control, deadline))
        except (Closed, Late) as error:
            self._refuse(f"the container did not start ({type(error).__name__.lower()})")
        if "error" in words:
            self._refuse(words["error"])
        if words["why"]:
            _logger.warning(
                "the kernel allows no namespaces (%s): untrusted text runs behind the system-call "
                "filter and the limits alone",
                words["why"],
            )
        return Isolation(words["why"] is None, words["why"])

    def _order(self, order: bytes, descriptor: socket.socket | None = None) -> bool:
        """Send an order; whether the server confirmed it."""
        if self._control is None:
            return False
        try:
            self._control.settimeout(_ORDER_SECONDS)
            socket.send_fds(self._control, [order], [descriptor.fileno()] if descriptor else [])
            return self._control.recv(1) == order
        except OSError:
            return False

    def _refuse(self, why: str) -> NoReturn:
        self.close()
        raise SandboxUnavailable(f"untrusted text cannot be run safely here: {why}")


def _stop(control: socket.socket, process: subprocess.Popen) -> None:
    """End a container in any state; the kernel kills what runs in it."""
    control.close()
    try:
        process.wait(timeout=5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
