"""The second wall: namespaces of the container's own, with an empty read-only root.

Afterwards the process sees no other process, no network interface, no shared memory of others, and
an empty root directory. An ordinary user may do this where the kernel allows user namespaces; root
drops its privileges first, so that both end up the same.
"""

from __future__ import annotations

import ctypes
import os
import platform
from pathlib import Path

_CLONE_FLAGS = {
    "mount": 0x00020000,
    "control group": 0x02000000,
    "host name": 0x04000000,
    "ipc": 0x08000000,
    "user": 0x10000000,
    "process": 0x20000000,
    "network": 0x40000000,
}
NAMES = tuple(_CLONE_FLAGS)

_MS_RDONLY, _MS_NOSUID, _MS_NODEV, _MS_NOEXEC = 1, 2, 4, 8
_MS_REMOUNT, _MS_BIND, _MS_REC, _MS_PRIVATE = 32, 4096, 16384, 1 << 18
_MNT_DETACH = 2
_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}
_PR_SET_DUMPABLE = 4
_NOBODY = 65534


def give_up_root() -> None:
    """Become `nobody` if the process is root, to which limits on processes do not apply.

    **Raises:** `OSError` if root may not change its identity.
    """
    if os.geteuid() != 0:
        return
    os.setgroups([])
    os.setresgid(_NOBODY, _NOBODY, _NOBODY)
    os.setresuid(_NOBODY, _NOBODY, _NOBODY)
    # Otherwise a process that changed its user may not write to its own /proc entries.
    _check(_libc().prctl(_PR_SET_DUMPABLE, 1, 0, 0, 0), "prctl")


def enter_namespaces() -> None:
    """Move into new namespaces; the next child becomes the first process of the new PID namespace.

    **Raises:** `OSError` if the kernel does not let an ordinary user do so.
    """
    uid, gid = os.getuid(), os.getgid()
    flags = 0
    for flag in _CLONE_FLAGS.values():
        flags |= flag
    libc = _libc()
    _check(libc.unshare(flags), "unshare")
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{_NOBODY} {uid} 1")
    Path("/proc/self/gid_map").write_text(f"{_NOBODY} {gid} 1")
    _empty_root(libc)


def _empty_root(libc: ctypes.CDLL) -> None:
    """Make an empty, read-only file system the root, and detach the old one."""
    shut = _MS_NOSUID | _MS_NODEV | _MS_NOEXEC
    _check(libc.mount(b"none", b"/", None, _MS_REC | _MS_PRIVATE, None), "mount")
    _check(libc.mount(b"tmpfs", b"/tmp", b"tmpfs", shut, b"size=4k,mode=555"), "mount")
    os.chdir("/tmp")
    # With the same directory twice, the old root is stacked on top of the new one, then unmounted.
    _check(libc.syscall(_PIVOT_ROOT[platform.machine()], b".", b"."), "pivot_root")
    _check(libc.umount2(b".", _MNT_DETACH), "umount2")
    os.chdir("/")
    read_only = _MS_REMOUNT | _MS_BIND | _MS_RDONLY | shut
    _check(libc.mount(None, b"/", None, read_only, None), "mount")


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _check(status: int, name: str) -> None:
    if status != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")
