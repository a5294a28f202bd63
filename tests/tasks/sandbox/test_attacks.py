"""Programs that try to break out: none may do anything, and each must end in time."""

import contextlib
import json
import os
from pathlib import Path

import pytest

from jaxgap.tasks.sandbox import Limits, Sandbox, SessionEnded

# Each defines attack(), which returns a true value if it could do what its name says.
HARM = {
    "connect": """
import socket
def attack():
    socket.create_connection(("127.0.0.1", PORT), timeout=1)
    return True
""",
    "look up a name": """
import socket
def attack(): return socket.getaddrinfo("localhost", 80)
""",
    "read a file": """
def attack(): return open("/etc/passwd").read()
""",
    "read a file by a raw system call": """
import ctypes
def attack():
    libc = ctypes.CDLL(None)
    fd = libc.syscall(2, b"/etc/passwd", 0)
    return max(fd, libc.syscall(257, -100, b"/etc/passwd", 0, 0), libc.open(b"/", 0)) >= 0
""",
    "use io_uring": """
import ctypes
def attack(): return ctypes.CDLL(None).syscall(425, 1, ctypes.create_string_buffer(120)) >= 0
""",
    "read the repository": """
def attack(): return open(REPOSITORY + "/pyproject.toml").read()
""",
    "list directories": """
import os
def attack(): return os.listdir("/") or os.listdir(".")
""",
    "follow a link": """
import os
def attack():
    os.symlink("/etc", "/tmp/link")
    return True
""",
    "write a file": """
def attack():
    open("/tmp/jaxgap-was-here", "w").write("x")
    return True
""",
    "change directory": """
import os
def attack():
    os.chdir("/")
    return os.getcwd()
""",
    "make files in memory": """
import os
def attack(): return os.memfd_create("x")
""",
    "share memory": """
import multiprocessing.shared_memory
def attack(): return multiprocessing.shared_memory.SharedMemory(create=True, size=4096)
""",
    "fork": """
import os
def attack(): return os.fork() >= 0
""",
    "daemonise": """
import os
def attack():
    os.setsid()
    return os.fork() >= 0
""",
    "start a thread": """
import threading
def attack():
    threading.Thread(target=print).start()
    return True
""",
    "run a set-uid program": """
import os
def attack(): os.execv("/bin/su", ["su"])
""",
    "run a shell": """
import subprocess
def attack(): return subprocess.run("true", shell=True)
""",
    "become root": """
import os
def attack():
    os.setuid(0)
    return True
""",
    "kill its parent": """
import os, signal
def attack():
    os.kill(os.getppid(), signal.SIGKILL)
    return True
""",
    "kill everything": """
import os, signal
def attack():
    os.kill(-1, signal.SIGKILL)
    return True
""",
    "signal by way of a descriptor": """
import fcntl, os
def attack(): return fcntl.fcntl(3, fcntl.F_SETOWN, os.getppid()) == 0
""",
    "trace another process": """
import ctypes, os
def attack(): return ctypes.CDLL(None).ptrace(16, os.getppid(), 0, 0) == 0
""",
    "read another process's memory": """
import ctypes, os
def attack(): return ctypes.CDLL(None).process_vm_readv(os.getppid(), 0, 0, 0, 0, 0) >= 0
""",
    "read the environment": """
import ctypes, os
def attack():
    libc = ctypes.CDLL(None)
    libc.getenv.restype = ctypes.c_char_p
    return SECRET in str(dict(os.environ)) or libc.getenv(b"JAXGAP_SECRET")
""",
    "read environments in /proc": """
import os
def attack():
    return [open(f"/proc/{pid}/environ", "rb").read() for pid in ("self", 1, os.getppid())]
""",
    "use other descriptors": """
import errno, os
def attack():
    found = []
    for fd in range(4, 2000):
        for use in (lambda: os.read(fd, 0), lambda: os.write(fd, b"")):
            try:
                use()
                found.append(fd)
            except OSError as error:  # any other error would be of a descriptor that exists
                if error.errno != errno.EBADF:
                    found.append((fd, error.errno))
    return found
""",
    "read standard input": """
import sys
def attack(): return sys.stdin.read()
""",
    "mount": """
import ctypes
def attack(): return ctypes.CDLL(None).mount(b"proc", b"/tmp", b"proc", 0, None) == 0
""",
    "make a namespace": """
import ctypes
def attack(): return ctypes.CDLL(None).unshare(0x10000000) == 0
""",
    "raise its limits": """
import resource
def attack():
    resource.setrlimit(resource.RLIMIT_AS, (-1, -1))
    return True
""",
    "take the filter off": """
import ctypes
def attack(): return ctypes.CDLL(None).prctl(22, 0, 0, 0, 0) == 0
""",
    "change the host's name": """
import socket
def attack():
    socket.sethostname("x")
    return True
""",
    "set the clock": """
import time
def attack():
    time.clock_settime(time.CLOCK_REALTIME, 0)
    return True
""",
}

# These go on until they are stopped.
GREED = {
    "spin": "while True: pass",
    "spin with signals ignored": """
import signal
for number in range(1, 65):
    try:
        signal.signal(number, signal.SIG_IGN)
    except (OSError, ValueError):
        pass
while True: pass
""",
    "catch everything and go on": """
while True:
    try:
        while True: pass
    except BaseException:
        pass
""",
    "sleep": "import time; time.sleep(3600)",
    "compute a huge power": "x = 9 ** 9 ** 9",
    "match a regular expression for ever": "import re; re.match('(a+)+$', 'a' * 60 + 'b')",
    "fork without end": """
import os
while True:
    try:
        os.fork()
    except OSError:
        pass
""",
    "write without end": "while True: print('x' * 10_000)",
    "flood its owner": """
import os
while True: os.write(3, b"x" * 65536)
""",
    "take all memory": "x = []\nwhile True: x.append(bytearray(10_000_000))",
    "take all memory at once": "x = bytearray(2 ** 40)",
    "recurse": "def f(): f()\nimport sys; sys.setrecursionlimit(10 ** 9); f()",
    "recurse in C": "x = []\nfor _ in range(10 ** 6): x = [x]\nrepr(x)",
    "crash": "import ctypes; ctypes.string_at(0)",
    "exit": "import os; os._exit(0)",
    "raise what is no error": "raise SystemExit(0)",
    "nest brackets": "(" * 100_000,
}


def ask(session, **request):
    return json.loads(session.ask(json.dumps(request).encode()))


@pytest.fixture(scope="module")
def listener():
    """A server that anyone on this machine could connect to."""
    import socket

    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        yield server


@pytest.fixture(scope="module")
def impatient(sandbox):
    """A container that does not wait long."""
    limits = Limits(wall_seconds=2, cpu_seconds=1, memory_mebibytes=128, reply_bytes=2**16)
    with Sandbox("jaxgap.tasks.programs.interpreter:make_handler", limits=limits) as impatient:
        yield impatient


# A handler runs before the walls are put up, so this one can play a kernel without namespaces.
NO_NAMESPACES = """
import errno, os
from jaxgap.tasks.programs import interpreter
from jaxgap.tasks.sandbox import server

def refuse():
    raise OSError(errno.EPERM, os.strerror(errno.EPERM))

def make_handler():
    server.enter_namespaces = refuse
    return interpreter.make_handler()
"""


@pytest.fixture(scope="module")
def filter_alone(sandbox, tmp_path_factory):
    """A container without the second wall."""
    folder = tmp_path_factory.mktemp("handlers")
    (folder / "no_namespaces.py").write_text(NO_NAMESPACES)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        with Sandbox("no_namespaces:make_handler", limits=sandbox.limits) as alone:
            assert str(alone.isolation).endswith("no namespaces (Operation not permitted)")
            yield alone


@pytest.mark.parametrize("name", HARM)
def test_the_filter_alone_lets_no_attack_do_harm(filter_alone, listener, name, monkeypatch):
    test_no_attack_does_harm(filter_alone, listener, name, monkeypatch)


@pytest.mark.parametrize("name", HARM)
def test_no_attack_does_harm(sandbox, listener, name, monkeypatch):
    monkeypatch.setenv("JAXGAP_SECRET", "xyzzy")
    repository = str(Path(__file__).resolve().parents[3])
    port = listener.getsockname()[1]
    facts = f"PORT, REPOSITORY, SECRET = {port}, {repository!r}, 'xyzzy'"
    try:
        with sandbox.session() as session:
            assert ask(session, run=facts) == {"ran": True}
            assert ask(session, run=HARM[name]) == {"ran": True}
            reply = ask(session, value="bool(attack())")
    except SessionEnded:
        reply = {"raised": "SessionEnded"}
    assert reply == {"value": ["bool", False]} or "raised" in reply
    with pytest.raises(BlockingIOError, match="temporarily unavailable"):
        listener.accept()
    assert not Path("/tmp/jaxgap-was-here").exists()
    assert not Path("/tmp/link").is_symlink()


@pytest.mark.parametrize("name", GREED)
def test_every_program_ends_in_time(impatient, sandbox, endings, name):
    outcome = None
    try:
        with impatient.session() as session:
            outcome = ask(session, run=GREED[name])
    except (SessionEnded, ValueError) as error:  # a flood is no JSON
        outcome = {"raised": str(error)}
    assert "raised" in outcome
    assert "hung" not in endings
    with sandbox.session() as session:
        assert ask(session, value="1 + 1") == {"value": ["int", "0x2"]}


@pytest.mark.usefixtures("endings")
def test_a_program_that_only_waits_is_ended_by_the_clock(impatient):
    with (
        pytest.raises(SessionEnded, match="no reply in 2 seconds"),
        impatient.session() as session,
    ):
        ask(session, run=GREED["sleep"])


def test_nothing_outlives_a_session(sandbox):
    with sandbox.session() as session:
        inside = containers()
        assert ask(session, run="import signal; signal.signal(15, signal.SIG_IGN)") == {"ran": True}
    assert len(containers() - inside) == 0
    assert len(inside - containers()) == 1


def containers():
    """The processes of this process's containers, sessions among them."""
    found = set()
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            command = (folder / "cmdline").read_bytes()
            if b"sandbox.server" in command and os.getpid() in ancestors(folder.name):
                found.add(folder.name)
    return found


def ancestors(pid):
    while int(pid) > 1:
        # The parent is the second field after the command's name, which ends in a bracket.
        pid = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1]
        yield int(pid)


def test_sessions_know_nothing_of_each_other(sandbox):
    with sandbox.session() as session:
        assert ask(session, run="import math; math.pi = 3; secret = 'xyzzy' * 2") == {"ran": True}
        assert ask(session, value="secret") == {"value": ["str", "xyzzyxyzzy"]}
    with sandbox.session() as session:
        assert ask(session, value="secret") == {"raised": "NameError"}
        assert ask(session, run="import math") == {"ran": True}
        assert ask(session, value="math.pi > 3") == {"value": ["bool", True]}
        search = "any('xyzzy' * 2 == o for o in __import__('gc').get_objects())"
        assert ask(session, value=search) == {"value": ["bool", False]}


def test_useful_programs_run(sandbox):
    """What is read into memory beforehand is the standard library whole."""
    sources = (
        "import re, math, heapq, json, datetime, collections, typing, decimal, fractions, random",
        "import sqlite3, xml.dom.minidom, asyncio, unittest, csv, statistics, zoneinfo",
        "import datetime; datetime.datetime.strptime('2020-02-03', '%Y-%m-%d')",
        "'é'.encode('utf-16'); 'é'.encode('cp1252'); 10 ** 3000; str(10 ** 3000)",
        "from dataclasses import dataclass\n@dataclass\nclass P:\n x: int\nassert P(1) == P(1)",
        "import random; random.seed(0); random.random(); import secrets; secrets.token_hex()",
    )
    for source in sources:
        with sandbox.session() as session:
            assert ask(session, run=source) == {"ran": True}
