"""What the tests of tasks share: containers, where this machine can make them."""

import pytest

from jaxgap.tasks.programs import ProgramJudge
from jaxgap.tasks.sandbox import Limits, Sandbox, SandboxUnavailable

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


@pytest.fixture(scope="session")
def judge(sandbox):
    """A judge of programs with short limits."""
    return ProgramJudge(SHORT, size=1)
