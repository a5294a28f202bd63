"""What Orbax's threads say of a save or a load that failed, which is raised anyway, and once."""

from __future__ import annotations

import contextlib
import logging
import sys
import threading
import traceback
import warnings
from collections.abc import Iterator
from types import TracebackType
from typing import Any

_OWNERS = ("orbax", "tensorstore")
# Both name no thread: Orbax runs its coroutines on event loops of its own.
_LOGGERS = ("absl", "asyncio")


@contextlib.contextmanager
def quiet_orbax() -> Iterator[None]:
    """Let Orbax's threads and coroutines fail in silence; everybody else's are heard as before.

    Where one array fails, the others that were under way are left where they are. They tell a loop
    that has ended by then, or raise once more when they are collected.
    """
    loggers = [logging.getLogger(name) for name in _LOGGERS]
    levels = [logger.level for logger in loggers]
    unraisable_hook, thread_hook = sys.unraisablehook, threading.excepthook

    def on_unraisable(failure: Any) -> None:
        if not _is_orbax(failure.exc_traceback):
            unraisable_hook(failure)

    def on_thread_failure(failure: Any) -> None:
        if not _is_orbax(failure.exc_traceback):
            thread_hook(failure)

    sys.unraisablehook, threading.excepthook = on_unraisable, on_thread_failure
    for logger in loggers:
        logger.setLevel(logging.CRITICAL + 1)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "coroutine .* was never awaited", RuntimeWarning)
            yield
    finally:
        sys.unraisablehook, threading.excepthook = unraisable_hook, thread_hook
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _is_orbax(trace: TracebackType | None) -> bool:
    """Whether what failed was started by Orbax: by whom is said by the first frame that is not of
    Python's own library. An event loop alone has none."""
    frames = (frame for frame, _ in traceback.walk_tb(trace))
    modules = [str(frame.f_globals.get("__name__")).partition(".")[0] for frame in frames]
    foreign = [name for name in modules if name not in sys.stdlib_module_names]
    return foreign[0] in _OWNERS if foreign else "asyncio" in modules
