"""Freed memory, returned to the operating system.

XLA takes 0.3 GB to compile the decoding of 30 layers, and frees it; so is the cache of a call when
the call ends. glibc keeps most of what is freed for later allocations, and what one thread has
freed is of little use to another: the process holds a third more than it uses.
"""

import ctypes
import functools
from collections.abc import Callable

from jaxtyping import Array


def release_freed_memory() -> None:
    """Return the free pages of the heap to the system, where the C library is glibc.

    Takes milliseconds; other C libraries return freed memory by themselves, or keep it.
    """
    trim = _malloc_trim()
    if trim is not None:
        trim(0)


def replace_buffer(old: Array, new: Array) -> Array:
    """The new buffer, once it is there and the old one's memory is the system's again.

    The memory that a buffer leaves is of no use to the larger one that replaces it.
    """
    new.block_until_ready()
    old.delete()
    release_freed_memory()
    return new


@functools.cache
def _malloc_trim() -> Callable[[int], int] | None:
    try:
        return ctypes.CDLL("libc.so.6").malloc_trim
    except (OSError, AttributeError):
        return None
