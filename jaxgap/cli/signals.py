"""Ending a command on a signal: with one line, and with its run intact on disk."""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import time
from collections.abc import Iterator
from types import FrameType
from typing import TYPE_CHECKING

from jaxgap.errors import Terminated
from jaxgap.run_files import CONFIG_FILE

if TYPE_CHECKING:
    from pathlib import Path  # slow to import, before our handler of Ctrl-C is installed

# A shell's exit status for a process that SIGINT or SIGTERM ended: 128 plus the signal's number.
INTERRUPTED = 130
TERMINATED = 143

_SOON = 0.02  # seconds
# A wrapper may forward a signal that the terminal has already sent to both.
_ECHO = 1.0  # seconds
_IMPORTING = "<frozen importlib"
# Not empty while the garbage collector runs: the finalisers and weakref callbacks that it calls
# swallow exceptions too.
_collecting: list[int] = []
# When the process first received a signal to end, if it did.
_signalled_at: list[float] = []


def take_interrupts() -> None:
    """From here on Ctrl-C ends the process with one line, even during imports and collections."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # else it is ignored
        gc.callbacks.append(_note_collection)
        signal.signal(signal.SIGINT, _leave_or_stop)


def leave_on_interrupts() -> None:
    """From here on Ctrl-C ends the process at once: callbacks at exit would print an exception."""
    if signal.getsignal(signal.SIGINT) is _leave_or_stop:
        signal.signal(signal.SIGINT, lambda number, _: _leave(number))


def ignore_signals() -> None:
    """Ignore signals while something must be completed."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)


@contextlib.contextmanager
def resumable(folder: Path) -> Iterator[None]:
    """Let SIGTERM end a run as Ctrl-C does; both leave the folder's last checkpoint intact."""
    import shlex

    try:
        with terminable():
            yield
    except KeyboardInterrupt as stop:
        word = "terminated" if isinstance(stop, Terminated) else "interrupted"
        if not (folder / CONFIG_FILE).exists():
            raise
        run = shlex.quote(str(folder))
        raise type(stop)(f"{word}; to continue: jaxgap improve --resume {run}") from None


@contextlib.contextmanager
def terminable() -> Iterator[None]:
    """Let SIGTERM raise an exception as Ctrl-C does, so that what is half written is removed."""
    _signalled_at.clear()
    numbers = (signal.SIGINT, signal.SIGTERM)
    previous = {number: signal.signal(number, _stop) for number in numbers}
    gc.callbacks.append(_note_collection)
    try:
        yield
    finally:
        gc.callbacks.remove(_note_collection)
        _collecting.clear()
        for number, handler in previous.items():
            signal.signal(number, handler)


def _stop(number: int, frame: FrameType | None) -> None:
    """Raise the exception that ends the run, or retry soon where Python would swallow it.

    A second signal ends the process without finishing what it is writing.
    """
    if _signalled_at:
        if time.monotonic() - _signalled_at[0] > _ECHO:
            _leave(number)
        return
    if _collecting or _in_gc_callback(frame):
        signal.signal(signal.SIGALRM, lambda *_: signal.raise_signal(number))
        signal.setitimer(signal.ITIMER_REAL, _SOON)
        return
    _signalled_at.append(time.monotonic())
    raise Terminated("terminated") if number == signal.SIGTERM else KeyboardInterrupt("interrupted")


def _leave_or_stop(number: int, frame: FrameType | None) -> None:
    """Exit at once during an import; otherwise stop like a run.

    Extension modules swallow exceptions during their import, or crash later. Nothing is being
    written at that time.
    """
    if _is_importing(frame):
        _leave(number)
    _stop(number, frame)


def _leave(number: int) -> None:
    """End the process immediately; files being written have temporary names."""
    with contextlib.suppress(OSError):  # stderr may be closed
        os.write(
            2, b"jaxgap: terminated\n" if number == signal.SIGTERM else b"jaxgap: interrupted\n"
        )
    os._exit(TERMINATED if number == signal.SIGTERM else INTERRUPTED)


def _is_importing(frame: FrameType | None) -> bool:
    return any(each.f_code.co_filename.startswith(_IMPORTING) for each in _outwards(frame))


def _outwards(frame: FrameType | None) -> Iterator[FrameType]:
    """A frame and its callers, innermost first."""
    while frame is not None:
        yield frame
        frame = frame.f_back


def _note_collection(phase: str, info: dict[str, int]) -> None:
    """Called by the collector when it starts and when it stops."""
    _collecting[:] = [info["generation"]] if phase == "start" else []


def _in_gc_callback(frame: FrameType | None) -> bool:
    """Whether a callback of the garbage collector is running, whose exceptions Python ignores."""
    callbacks = {getattr(callback, "__code__", None) for callback in gc.callbacks}
    return any(each.f_code in callbacks for each in _outwards(frame))
