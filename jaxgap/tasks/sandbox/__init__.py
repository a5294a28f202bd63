"""Running programs, and grading texts, that may be hostile.

A completion is untrusted: MBPP runs it as a program, and graders of other libraries pass it to
`eval`. Both happen in a *container*, a process with two walls around it:

1. **A list of allowed system calls** (seccomp). A job can compute, allocate memory, read the clock,
   and exchange bytes with its owner over one socket that it was given. It cannot open a file or a
   socket, start a process or a program, signal or trace another one: the kernel refuses. There is
   no set of files to guard, because Python's modules were read into memory beforehand.
2. **Namespaces** of its own for users, mounts, processes, network, IPC and host names, in an empty
   read-only root. This wall repeats the first and is put up where the kernel lets an ordinary user
   do so; :attr:`Sandbox.isolation` says whether it stands.

The first wall and the limits are not optional: each container tries to break out before it takes
its first job, and anything that succeeds raises :class:`SandboxUnavailable`.

    sandbox.py        the owner's side: start a container, open a session in it, end it
    pool.py           several containers at a time
    limits.py         time, memory, size of replies
    server.py         the container's side: prepare, put up the walls, fork a fresh child a session
    memory_import.py  Python's modules without files
    seccomp.py        the first wall
    namespaces.py     the second
    probes.py         attempts to break out
    frames.py         messages over a socket

Facts from the manual pages seccomp(2), user_namespaces(7), pid_namespaces(7), pivot_root(2), and
the kernel's documentation of seccomp filters.
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
