"""Orbax's threads and coroutines fail in silence, and nobody else's."""

import asyncio
import contextlib
import functools
import gc
import sys
import threading
import warnings

import pytest

from jaxgap.improve.runs import orbax_noise
from jaxgap.improve.runs.orbax_noise import quiet_orbax, stay_quiet

OURS, THEIRS = "user.module", "orbax.checkpoint.module"
SOURCE = """
def fail():
    raise ValueError("cut short")

async def read(loop):
    try:
        await asyncio.Future(loop=loop)
    finally:
        fail()
"""


def functions_of(module):
    """The functions above as if this module had them."""
    space = {"__name__": module, "asyncio": asyncio}
    exec(SOURCE, space)
    return space


@pytest.fixture
def heard(monkeypatch):
    """The messages of what was heard: from threads, and from what is collected."""
    said = []
    for owner, name in ((threading, "excepthook"), (sys, "unraisablehook")):
        monkeypatch.setattr(owner, name, lambda failure: said.append(str(failure.exc_value)))
    return said


def run_thread(target):
    thread = threading.Thread(target=target)
    thread.start()
    thread.join()


@pytest.mark.parametrize(("module", "expected"), [(OURS, ["cut short"]), (THEIRS, [])])
def test_threads_that_orbax_started_are_not_heard(heard, module, expected):
    with quiet_orbax():
        run_thread(functions_of(module)["fail"])
    assert heard == expected


def test_a_thread_of_the_users_that_calls_orbax_is_heard(heard):
    inner = functions_of(THEIRS)["fail"]
    with quiet_orbax():
        run_thread(lambda: inner())
    assert heard == ["cut short"]


@pytest.mark.parametrize(("module", "expected"), [(OURS, ["cut short"]), (THEIRS, [])])
def test_a_coroutine_that_raises_once_more_when_it_is_collected(heard, module, expected):
    """In a circle, which is found late."""
    loop = asyncio.new_event_loop()
    with quiet_orbax():
        circle: list = [functions_of(module)["read"](loop)]
        circle[0].send(None)
        circle.append(circle)
        del circle
        gc.collect()
    assert heard == expected
    loop.close()


@pytest.mark.parametrize("package", ["asyncio", "uvloop"])
def test_an_event_loop_that_has_ended_is_not_heard(heard, package):
    loop = pytest.importorskip(package).new_event_loop()
    loop.close()
    with quiet_orbax():
        run_thread(functools.partial(loop.call_soon_threadsafe, print))
    assert not heard


def test_a_silence_can_outlive_whoever_asked_for_it(monkeypatch):
    kept: list = []
    monkeypatch.setattr(orbax_noise, "_never_ending", kept)
    before = threading.excepthook
    stack = contextlib.ExitStack()
    stack.enter_context(quiet_orbax())
    stay_quiet(stack)
    del stack
    gc.collect()
    assert threading.excepthook is not before
    kept.pop().close()
    assert threading.excepthook is before


def test_everything_is_as_before_afterwards():
    before = (sys.unraisablehook, threading.excepthook, list(warnings.filters))
    with quiet_orbax():
        assert threading.excepthook is not before[1]
    assert (sys.unraisablehook, threading.excepthook, list(warnings.filters)) == before
