"""Running programs, and grading texts, that may be hostile.

A completion is untrusted: MBPP runs it as a program, and graders of other libraries pass it to
`eval`. Both happen in a *container*, a process with two walls around it:

1. **An allowlist of system calls** (seccomp). A job can compute, allocate memory, read the clock,
   and exchange bytes with its owner over one inherited socket. It cannot open a file or a socket,
   start a process or a program, or signal or trace another one: the kernel refuses. No files need
   guarding, because Python's modules were read into memory beforehand.
2. **Namespaces** of its own for users, mounts, processes, network, IPC and host names, with an
   empty read-only root. This wall is redundant with the first and is put up where the kernel lets
   an ordinary user do so; :attr:`Sandbox.isolation` says whether it stands.

The first wall and the limits are mandatory: each session tries to break out before it takes its
first job, and any success raises :class:`SandboxUnavailable`.

    sandbox.py        the owner's side: start a container, open a session in it, end it
    pool.py           several containers at a time
    limits.py         time, memory, size of replies
    server.py         the container's side: prepare, put up the walls, fork a child per session
    memory_import.py  Python's modules without files
    seccomp.py        the first wall
    namespaces.py     the second
    probes.py         attempts to break out
    frames.py         messages over a socket

Sources: the manual pages seccomp(2), user_namespaces(7), pid_namespaces(7), pivot_root(2), and the
kernel's documentation of seccomp filters.
"""

from jaxgap.tasks.sandbox.limits import Limits
from jaxgap.tasks.sandbox.pool import SandboxPool
from jaxgap.tasks.sandbox.sandbox import (
    Isolation,
    Sandbox,
    SandboxUnavailable,
    Session,
    SessionEnded,
)

__all__ = [
    "Isolation",
    "Limits",
    "Sandbox",
    "SandboxPool",
    "SandboxUnavailable",
    "Session",
    "SessionEnded",
]
