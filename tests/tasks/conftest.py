"""What the tests of tasks share: containers, where this machine can make them."""

import socket
import threading

import pytest

from jaxgap.tasks.programs import ProgramJudge
from jaxgap.tasks.sandbox import Limits, Sandbox, SandboxUnavailable, SessionEnded
from jaxgap.tasks.sandbox.sandbox import Session

HANG_SECONDS = 120  # far beyond any bound of these tests, on however busy a machine
SHORT = Limits(wall_seconds=5, cpu_seconds=2, memory_mebibytes=128, reply_bytes=2**16)


@pytest.fixture(scope="session")
def sandbox():
    """A container with a Python interpreter in it."""
    with Sandbox("jaxgap.tasks.programs.interpreter:make_handler", limits=SHORT) as sandbox:
        try:
            _ = sandbox.isolation
        except SandboxUnavailable as error:
            pytest.skip(str(error))
        yield sandbox


@pytest.fixture
def endings(monkeypatch):
    """What ended the sessions that did not answer; "hung" where no bound did."""
    ask, words = Session.ask, []

    def hang_up(session):
        words.append("hung")
        session._channel.shutdown(socket.SHUT_RDWR)

    def asked(session, request):
        guard = threading.Timer(HANG_SECONDS, hang_up, [session])
        guard.start()
        try:
            return ask(session, request)
        except SessionEnded as error:
            words.append(str(error))
            raise
        finally:
            guard.cancel()

    monkeypatch.setattr(Session, "ask", asked)
    return words


@pytest.fixture(scope="session")
def judge(sandbox):
    """A judge of programs with short limits."""
    return ProgramJudge(SHORT, size=1)
