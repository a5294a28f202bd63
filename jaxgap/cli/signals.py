"""How a run ends when it is told to: whole on disk, with a word on how to go on."""

from __future__ import annotations

import contextlib
import gc
import signal
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

from jaxgap.errors import Terminated

_SOON = 0.02  # seconds
# Not empty while the garbage collector runs: finalisers and weak references, which it calls,
# swallow exceptions too.
_collecting: list[int] = []


@contextlib.contextmanager
def resumable(folder: Path) -> Iterator[None]:
    """Let SIGTERM end a run as Ctrl-C does; either leaves the folder's last checkpoint whole."""
    numbers = (signal.SIGINT, signal.SIGTERM)
    previous = {number: signal.signal(number, _stop) for number in numbers}
    gc.callbacks.append(_note_collection)
    try:
        yield
    except KeyboardInterrupt as stop:
        word = "terminated" if isinstance(stop, Terminated) else "interrupted"
        if not (folder / "config.json").exists():
            raise
        raise type(stop)(f"{word}; jaxgap improve --resume {folder} goes on") from None
    finally:
        gc.callbacks.remove(_note_collection)
        _collecting.clear()
        for number, handler in previous.items():
            signal.signal(number, handler)


def _stop(number: int, frame: FrameType | None) -> None:
    """Raise what ends the run, or try again soon where Python would swallow it."""
    if _collecting or _in_gc_callback(frame):
        signal.signal(signal.SIGALRM, lambda _, later: _stop(number, later))
        signal.setitimer(signal.ITIMER_REAL, _SOON)
        return
    raise Terminated("terminated") if number == signal.SIGTERM else KeyboardInterrupt("interrupted")


def _note_collection(phase: str, info: dict[str, int]) -> None:
    """Told by the collector when it starts and when it stops."""
    _collecting[:] = [info["generation"]] if phase == "start" else []


def _in_gc_callback(frame: FrameType | None) -> bool:
    """Whether a callback of the garbage collector is running, whose exceptions are ignored."""
    callbacks = {getattr(callback, "__code__", None) for callback in gc.callbacks}
    while frame is not None:
        if frame.f_code in callbacks:
            return True
        frame = frame.f_back
    return False
