"""Silence what Orbax's threads print about a failed save or load, which is raised anyway."""

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
# The standard library's event loop, and that of a package which Orbax uses where there is one.
_EVENT_LOOPS = {"asyncio", "uvloop"}
# Neither logger names a thread: Orbax runs its coroutines on its own event loops.
_LOGGERS = ("absl", "asyncio")
# A context that is garbage-collected ends, so those that are not to end are kept here.
_never_ending: list[contextlib.ExitStack] = []


@contextlib.contextmanager
def quiet_orbax() -> Iterator[None]:
    """Silence failures in Orbax's threads and coroutines, but not in anyone else's.

    When one array fails, the pending operations on the others are abandoned. They later report to
    an event loop that has ended, or raise again when they are garbage-collected.
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


def stay_quiet(quiet: contextlib.ExitStack) -> None:
    """Let a silence that was entered in a stack last as long as the process."""
    _never_ending.append(quiet)


def _is_orbax(trace: TracebackType | None) -> bool:
    """Whether Orbax started what failed, judged by the first frame outside the standard library.

    A bare event loop has no such frame.
    """
    frames = (frame for frame, _ in traceback.walk_tb(trace))
    modules = [str(frame.f_globals.get("__name__")).partition(".")[0] for frame in frames]
    known = sys.stdlib_module_names | _EVENT_LOOPS
    foreign = [name for name in modules if name not in known]
    return foreign[0] in _OWNERS if foreign else not _EVENT_LOOPS.isdisjoint(modules)
