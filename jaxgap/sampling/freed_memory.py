"""Memory that is no longer in use, given back to the system.

To compile the decoding of 30 layers XLA takes 0.3 GB, and frees it; so is the cache of a call when
the call ends. glibc keeps most of what is freed for whoever asks next, and one thread's leavings
are of little use to another: the process holds a third more than anything in it needs.
"""

import ctypes
import functools
from collections.abc import Callable

from jaxtyping import Array


def give_back_freed_memory() -> None:
    """Let the system have the pages that nothing lies on, where the C library is glibc.

    Takes milliseconds; other C libraries give freed memory back of themselves, or keep it.
    """
    trim = _malloc_trim()
    if trim is not None:
        trim(0)


def in_place_of(old: Array, new: Array) -> Array:
    """The new buffer, once it is there and the old one's memory is the system's again.

    To a buffer that is larger than the one before it what that one left is of no use.
    """
    new.block_until_ready()
    old.delete()
    give_back_freed_memory()
    return new


@functools.cache
def _malloc_trim() -> Callable[[int], int] | None:
    try:
        return ctypes.CDLL("libc.so.6").malloc_trim
    except (OSError, AttributeError):
        return None
