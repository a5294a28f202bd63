"""Which line and exit status each kind of error ends a command with."""

import errno
import os

import pytest

from jaxgap.cli.endings import ending
from jaxgap.errors import DiskFullError, InputError, RunError


@pytest.mark.parametrize(
    ("error", "line", "status"),
    [
        (InputError("level must be below 1"), "--level must be below 1", 2),
        (RunError("begin anew with `remat=True`"), "begin anew with --remat", 1),
        (DiskFullError("x: no space left on the disk"), "x: no space left on the disk", 1),
        (OSError(errno.EACCES, "Permission denied", "a/b"), "a/b: Permission denied", 2),
        (OSError("a reason of its own"), "a reason of its own", 2),
        (TimeoutError(), "TimeoutError", 2),
        (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), "No space left on device", 1),
    ],
)
def test_an_error_is_a_line_and_a_status(error, line, status):
    assert ending(error, ["fit", "--level", "2"]) == (line, status)
