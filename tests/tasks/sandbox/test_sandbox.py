"""Containers: that walls are tried before they are trusted, and what happens where they fail."""

import json
import os
import platform
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from jaxgap.tasks.sandbox import Limits, Sandbox, SandboxPool, SandboxUnavailable, SessionEnded
from jaxgap.tasks.sandbox import sandbox as sandbox_module
from jaxgap.tasks.sandbox.seccomp import AARCH64, X86_64, filter_program

HANDLER = "jaxgap.tasks.programs.interpreter:make_handler"
ROOT = str(Path(__file__).resolve().parents[3])
PROBE_UNWALLED = """
import json
from jaxgap.tasks.sandbox.probes import broken_walls
print(json.dumps(broken_walls(2 ** 20)))
"""
ORDINARY = """
from jaxgap.tasks.sandbox import Sandbox
sandbox = Sandbox("jaxgap.tasks.programs.interpreter:make_handler")
print(sandbox.isolation)
with sandbox.session() as session:
    print(session.ask(b'{"value": "6 * 7"}').decode())
"""


def test_probes_find_walls_that_are_not_there():
    done = subprocess.run(
        [sys.executable, "-c", PROBE_UNWALLED],
        env=os.environ | {"PYTHONPATH": ROOT},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    found = json.loads(done.stdout.splitlines()[-1])
    assert {
        "read a directory",
        "open a file",
        "open a socket",
        "start a process",
        "run a program",
        "signal its parent",
        "take unlimited memory",
    } <= set(found)


def test_a_broken_wall_is_refused(sandbox, monkeypatch):
    words = iter([json.dumps(["open a file"]).encode()])
    with Sandbox(HANDLER) as other:
        other._start()
        monkeypatch.setattr(sandbox_module, "receive_before", lambda *_: next(words))
        with (
            pytest.raises(
                SandboxUnavailable, match="safely here: a session in the container could"
            ),
            other.session(),
        ):
            pass


def test_other_machines_are_refused(monkeypatch):
    monkeypatch.setattr(platform, "machine", lambda: "s390x")
    with (
        pytest.raises(SandboxUnavailable, match="takes Linux on x86-64 or arm64"),
        Sandbox(HANDLER).session(),
    ):
        pass


def test_a_handler_that_cannot_start_is_refused(sandbox):
    with (
        pytest.raises(SandboxUnavailable, match="ModuleNotFoundError: No module named 'nowhere'"),
        Sandbox("nowhere:make").session(),
    ):
        pass


def test_isolation_says_what_stands(sandbox):
    isolation = sandbox.isolation
    assert str(isolation).startswith("system-call filter, resource limits, ")
    assert isolation.namespaces == (isolation.why_not is None)


def test_namespaces_stand_where_the_kernel_has_them(sandbox):
    unshare = shutil.which("unshare")
    if unshare is None:
        pytest.skip("no unshare to ask the kernel with")
    as_nobody = {"user": 65534, "group": 65534, "extra_groups": []} if os.geteuid() == 0 else {}
    asked = subprocess.run([unshare, "-Umpin", "true"], capture_output=True, **as_nobody)
    assert sandbox.isolation.namespaces == (asked.returncode == 0)


def test_it_works_for_an_ordinary_user():
    """As root the sandbox runs as nobody; here its owner is nobody, too."""
    python = shutil.which("python3", path="/usr/bin:/usr/local/bin")
    if os.geteuid() != 0 or python is None:
        pytest.skip("not root, so that every other test is this one; or no system Python")
    done = subprocess.run(
        [python, "-c", f"import sys; sys.path.insert(0, {ROOT!r})\n{ORDINARY}"],
        capture_output=True,
        text=True,
        cwd="/",
        user=65534,
        group=65534,
        extra_groups=[],
        timeout=120,
    )
    if "ModuleNotFoundError" in done.stderr or "SyntaxError" in done.stderr:
        pytest.skip(f"{python} cannot import the package: {done.stderr.splitlines()[-1]}")
    assert done.stdout.splitlines()[-1] == '{"value": ["int", "0x2a"]}', done.stderr


def test_a_container_ends_with_its_owner(sandbox):
    script = ORDINARY + (
        "\nimport os, time\nprint(sandbox._stop.peek()[2][1].pid, flush=True)\n"
        "with sandbox.session() as session:\n    os.kill(os.getpid(), 9)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=os.environ | {"PYTHONPATH": ROOT},
        capture_output=True,
        text=True,
        timeout=60,
    )
    pid = int(done.stdout.splitlines()[-1])
    deadline = time.monotonic() + 10
    while Path(f"/proc/{pid}").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not Path(f"/proc/{pid}").exists()


def test_a_container_that_died_is_started_again(sandbox):
    with Sandbox(HANDLER) as other:
        with other.session() as session:
            assert session.ask(b'{"value": "1"}') == b'{"value": ["int", "0x1"]}'
        assert other._stop is not None
        _, arguments, _ = other._stop.peek()[1:]
        arguments[1].kill()
        arguments[0].settimeout(10)
        assert arguments[0].recv(1) == b""  # the server has gone, too
        with other.session() as session:
            assert session.ask(b'{"value": "2"}') == b'{"value": ["int", "0x2"]}'


def test_a_container_that_dies_in_a_session_is_no_verdict(sandbox):
    def die_meanwhile(sandbox):
        with sandbox.session() as session:
            sandbox._stop.peek()[2][1].kill()
            while True:
                session.ask(b'{"value": "2"}')

    with pytest.raises(SandboxUnavailable, match="the container died"):
        die_meanwhile(Sandbox(HANDLER))


def test_the_time_of_a_session_runs_from_its_first_request(sandbox, monkeypatch):
    """By a clock that is put forward, for whatever is busy here to make no difference."""
    ahead = 0
    clock = SimpleNamespace(monotonic=lambda: time.monotonic() + ahead)
    monkeypatch.setattr(sandbox_module, "time", clock)
    with Sandbox(HANDLER, limits=Limits(wall_seconds=3600)) as other, other.session() as session:
        ahead = 2 * 3600
        assert session.ask(b'{"value": "1"}') == b'{"value": ["int", "0x1"]}'
        ahead = 4 * 3600
        with pytest.raises(SessionEnded, match="no reply in 3600 seconds"):
            session.ask(b'{"value": "2"}')


def test_replies_are_bounded(sandbox):
    with (
        pytest.raises(SessionEnded, match="a reply of over 65536 bytes"),
        sandbox.session() as session,
    ):
        session.ask(b'{"value": "\'x\' * 100000"}')


@pytest.mark.parametrize(
    ("bound", "value"),
    [("wall_seconds", 0), ("cpu_seconds", 0), ("memory_mebibytes", -1), ("reply_bytes", 0)],
)
def test_limits_are_positive(bound, value):
    with pytest.raises(ValueError, match=f"{bound} must be positive and finite, got {value}"):
        Limits(**{bound: value})


def test_a_pool_keeps_the_order_of_its_jobs():
    pool = SandboxPool(object, size=3)
    assert pool.map(lambda place, job: job * 2, range(20)) == [2 * job for job in range(20)]
    with pytest.raises(ZeroDivisionError, match="by zero"):
        pool.map(lambda place, job: 1 // job, [1, 0])
    assert pool.map(lambda place, job: job, [5]) == [5]


def test_a_pool_has_a_place_for_each_processor_that_it_may_use(monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {3, 5}, raising=False)
    assert SandboxPool(object).size == 2
    monkeypatch.delattr(os, "sched_getaffinity")
    assert SandboxPool(object).size == 64
    assert SandboxPool(object, size=3).size == 3


@pytest.mark.parametrize(
    ("table", "header"),
    [
        (X86_64, "/usr/include/x86_64-linux-gnu/asm/unistd_64.h"),
        (AARCH64, "/usr/include/asm-generic/unistd.h"),
    ],
)
def test_numbers_of_system_calls_are_the_kernels(table, header):
    if not Path(header).is_file():
        pytest.skip(f"no {header}")
    defined = dict(re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)", Path(header).read_text()))
    assert {name: int(defined[name]) for name in table} == table


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_the_filter_allows_the_table_and_nothing_else(machine):
    """The program run by a small interpreter of the four instructions that it uses."""
    architecture = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}[machine]
    table = {"x86_64": X86_64, "aarch64": AARCH64}[machine]
    code = filter_program(machine)
    for number in [*range(600), 0x40000000, 0xFFFFFFFF]:
        allowed = _run_filter(code, number, architecture) == 0x7FFF0000
        assert allowed == (number in table.values())
    assert _run_filter(code, table["read"], 0x40000003) == 0x80000000  # a 32-bit call: killed


def _run_filter(code, number, architecture):
    import struct

    instructions = list(struct.iter_unpack("HBBI", code))
    place = accumulator = 0
    while True:
        operation, if_equal, otherwise, constant = instructions[place]
        if operation == 0x06:
            return constant
        if operation == 0x20:
            accumulator = {0: number, 4: architecture}[constant]
            place += 1
        else:
            place += 1 + (if_equal if accumulator == constant else otherwise)
