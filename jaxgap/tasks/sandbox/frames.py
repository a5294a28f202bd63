"""Messages over a stream socket: a four-byte length, then that many bytes."""

from __future__ import annotations

import os
import select
import socket
import struct
import time

_LENGTH = struct.Struct(">I")
LONGEST = 2**32 - 1


class Closed(Exception):
    """The other end is closed."""


class Late(Exception):
    """The other end did not answer in time."""


class TooLong(Exception):
    """The other end announced more bytes than it may send."""


def read_frame(fd: int) -> bytes:
    """The next message from a descriptor, using only read(2), which a walled-in child may call.

    **Raises:** `Closed`.
    """
    (length,) = _LENGTH.unpack(_read_exactly(fd, _LENGTH.size))
    return _read_exactly(fd, length)


def write_frame(fd: int, message: bytes) -> None:
    """Send a message to a descriptor, using only write(2)."""
    view = memoryview(_LENGTH.pack(len(message)) + message)
    while view:
        view = view[os.write(fd, view) :]


def send_before(channel: socket.socket, message: bytes, deadline: float) -> None:
    """Send a message to a receiver that may not be reading.

    **Arguments:**

    - `channel`: a non-blocking socket.
    - `message`: the bytes to send.
    - `deadline`: the latest time, by `time.monotonic()`.

    **Raises:** `Closed`, `Late`.
    """
    view = memoryview(_LENGTH.pack(len(message)) + message)
    while view:
        _wait(channel, select.POLLOUT, deadline)
        try:
            view = view[channel.send(view) :]
        except BlockingIOError:
            continue
        except OSError as error:
            raise Closed from error


def receive_before(channel: socket.socket, deadline: float, longest: int = LONGEST) -> bytes:
    """Receive a message from a sender that may send too late, too much, or nothing.

    **Arguments:**

    - `channel`: a non-blocking socket.
    - `deadline`: the latest time, by `time.monotonic()`.
    - `longest`: the most bytes allowed.

    **Raises:** `Closed`, `Late`, `TooLong`.
    """
    (length,) = _LENGTH.unpack(_receive_exactly(channel, _LENGTH.size, deadline))
    if length > longest:
        raise TooLong
    return _receive_exactly(channel, length, deadline)


def _read_exactly(fd: int, count: int) -> bytes:
    chunks = []
    while count:
        chunk = os.read(fd, min(count, 2**20))
        if not chunk:
            raise Closed
        chunks.append(chunk)
        count -= len(chunk)
    return b"".join(chunks)


def _receive_exactly(channel: socket.socket, count: int, deadline: float) -> bytes:
    chunks = []
    while count:
        _wait(channel, select.POLLIN, deadline)
        try:
            chunk = channel.recv(min(count, 2**20))
        except BlockingIOError:
            continue
        except OSError as error:
            raise Closed from error
        if not chunk:
            raise Closed
        chunks.append(chunk)
        count -= len(chunk)
    return b"".join(chunks)


def _wait(channel: socket.socket, event: int, deadline: float) -> None:
    """Wait until the socket is ready; by poll(2), since select(2) fails beyond descriptor 1023."""
    poll = select.poll()
    poll.register(channel, event)
    if not poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
        raise Late
