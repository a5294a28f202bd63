"""Tell a damaged checkpoint from a system error while reading it."""

from __future__ import annotations

import errno
import os

# Markers of errors unrelated to the file's content: reading it may succeed another time.
_TROUBLE = (
    "RESOURCE_EXHAUSTED",
    "PERMISSION_DENIED",
    "UNAVAILABLE",
    *map(os.strerror, (errno.EACCES, errno.EMFILE, errno.ENFILE, errno.EIO, errno.ESTALE)),
)
# Error numbers for a checkpoint in which a part is missing or of the wrong kind.
_MISSING = (None, errno.ENOENT, errno.ENOTDIR, errno.EISDIR)


def is_trouble(error: BaseException | None) -> bool:
    """Whether reading failed for a reason other than the content of the files.

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
