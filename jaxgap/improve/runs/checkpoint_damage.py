"""Whether a checkpoint that cannot be read is damaged, or the system has trouble."""

from __future__ import annotations

import errno
import os

# Words of errors that say nothing about the file: it may be read another time.
_TROUBLE = (
    "RESOURCE_EXHAUSTED",
    "PERMISSION_DENIED",
    "UNAVAILABLE",
    *map(os.strerror, (errno.EACCES, errno.EMFILE, errno.ENFILE, errno.EIO, errno.ESTALE)),
)
# What the system says of a checkpoint of which a part is missing or is something else.
_MISSING = (None, errno.ENOENT, errno.ENOTDIR, errno.EISDIR)


def is_trouble(error: BaseException | None) -> bool:
    """Whether reading failed for something else than what is in the files.

    >>> is_trouble(OSError(errno.EMFILE, "Too many open files")), is_trouble(ValueError("a bit"))
    (True, False)
    """
    while error is not None:
        by_number = isinstance(error, OSError) and error.errno not in _MISSING
        if by_number or isinstance(error, MemoryError):
            return True
        if any(word in str(error) for word in _TROUBLE):
            return True
        error = error.__cause__ or error.__context__
    return False
