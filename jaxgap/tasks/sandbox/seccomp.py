"""The first wall: the system calls that a walled-in process may make, and no others.

A seccomp filter is a small program that the kernel runs before each system call of a process and
of all its descendants; it cannot be removed. This one allows what computing needs and refuses
everything else with "Operation not permitted": files, sockets, processes, signals to others,
tracing, mounts, namespaces, and whatever later kernels add.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct

# From <asm/unistd_64.h> (x86-64) and <asm-generic/unistd.h> (AArch64).
X86_64 = {
    "read": 0,
    "write": 1,
    "close": 3,
    "fstat": 5,
    "lseek": 8,
    "mmap": 9,
    "mprotect": 10,
    "munmap": 11,
    "brk": 12,
    "rt_sigaction": 13,
    "rt_sigprocmask": 14,
    "rt_sigreturn": 15,
    "readv": 19,
    "writev": 20,
    "sched_yield": 24,
    "mremap": 25,
    "madvise": 28,
    "nanosleep": 35,
    "getpid": 39,
    "exit": 60,
    "gettimeofday": 96,
    "getrusage": 98,
    "times": 100,
    "getuid": 102,
    "getgid": 104,
    "geteuid": 107,
    "getegid": 108,
    "getppid": 110,
    "sigaltstack": 131,
    "gettid": 186,
    "futex": 202,
    "restart_syscall": 219,
    "clock_gettime": 228,
    "clock_getres": 229,
    "clock_nanosleep": 230,
    "exit_group": 231,
    "getrandom": 318,
}
AARCH64 = {
    "close": 57,
    "lseek": 62,
    "read": 63,
    "write": 64,
    "readv": 65,
    "writev": 66,
    "fstat": 80,
    "exit": 93,
    "exit_group": 94,
    "futex": 98,
    "nanosleep": 101,
    "clock_gettime": 113,
    "clock_getres": 114,
    "clock_nanosleep": 115,
    "sched_yield": 124,
    "restart_syscall": 128,
    "sigaltstack": 132,
    "rt_sigaction": 134,
    "rt_sigprocmask": 135,
    "rt_sigreturn": 139,
    "times": 153,
    "getrusage": 165,
    "gettimeofday": 169,
    "getpid": 172,
    "getppid": 173,
    "getuid": 174,
    "geteuid": 175,
    "getgid": 176,
    "getegid": 177,
    "gettid": 178,
    "brk": 214,
    "munmap": 215,
    "mremap": 216,
    "mmap": 222,
    "mprotect": 226,
    "madvise": 233,
    "getrandom": 278,
}
_AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_CALLS = {"x86_64": X86_64, "aarch64": AARCH64}

_PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS = 22, 38
_MODE_FILTER = 2
_LOAD, _JUMP_IF_EQUAL, _RETURN = 0x20, 0x15, 0x06  # BPF: ld word absolute, jeq, ret
_OFFSET_OF_NUMBER, _OFFSET_OF_ARCHITECTURE = 0, 4  # in struct seccomp_data
_ALLOW, _REFUSE, _KILL = 0x7FFF0000, 0x00050000 | errno.EPERM, 0x80000000


class _Program(ctypes.Structure):
    """`struct sock_fprog`."""

    _fields_ = [("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p)]


def supported() -> bool:
    """Whether this processor's system calls are known here, on Linux, with 64-bit Python."""
    return platform.system() == "Linux" and platform.machine() in _CALLS and ctypes.sizeof(
        ctypes.c_void_p
    ) == 8  # fmt: skip


def filter_program(machine: str) -> bytes:
    """The filter as BPF instructions.

    A call of another architecture's table (32-bit calls on a 64-bit kernel) kills the process;
    numbers of the x32 table match nothing and are refused.
    """
    numbers = sorted(_CALLS[machine].values())
    instructions = [
        (_LOAD, 0, 0, _OFFSET_OF_ARCHITECTURE),
        (_JUMP_IF_EQUAL, 1, 0, _AUDIT_ARCH[machine]),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _OFFSET_OF_NUMBER),
    ]
    for index, number in enumerate(numbers):
        to_allow = len(numbers) - index  # over the remaining comparisons and the refusal
        instructions.append((_JUMP_IF_EQUAL, to_allow, 0, number))
    instructions += [(_RETURN, 0, 0, _REFUSE), (_RETURN, 0, 0, _ALLOW)]
    return b"".join(struct.pack("HBBI", *instruction) for instruction in instructions)


def install_filter() -> None:
    """Install the filter permanently on the calling thread, which must be its process's only one.

    **Raises:** `OSError` if the kernel has no seccomp filters.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    code = filter_program(platform.machine())
    program = _Program(len(code) // 8, code)
    for call in (
        (_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0),
        (_PR_SET_SECCOMP, _MODE_FILTER, ctypes.byref(program), 0, 0),
    ):
        if libc.prctl(*call) != 0:
            number = ctypes.get_errno()
            raise OSError(number, f"prctl: {os.strerror(number)}")
