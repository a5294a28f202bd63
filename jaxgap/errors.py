"""The errors that end a command in one line, without a traceback."""

import errno
import os
from collections.abc import Iterable

_DISK_FULL = (errno.ENOSPC, errno.EDQUOT)


class InputError(ValueError):
    """Something supplied by the user is wrong: a file, an option, a folder.

    The message is one line that says what was wrong, where, and what to do. The command line
    prints it and exits with status 2; in Python it is a `ValueError` like any other. Text quoted in
    the message is untrusted, so its line breaks and control characters are escaped.

    **Example:**

    >>> str(InputError("a\\nb.csv: no such file"))
    'a\\\\nb.csv: no such file'
    """

    def __init__(self, message: str):
        super().__init__(printable(message))


class RunError(RuntimeError):
    """A run had to end early through no mistake of the user's: a full disk, numbers that blew up.

    The message is one line that says what happened and how to continue. The command line prints it
    and exits with status 1.
    """


class DiskFullError(RunError):
    """The disk is full, so every other run that writes there would fail too."""


def first_of(problems: Iterable[str]) -> str:
    """The first of the problems that were named as they came, and how many more there are.

    >>> first_of(["a.csv: no such file", "b.csv: no such file"])
    'a.csv: no such file (and 1 more, named above)'
    """
    first, *others = problems
    return first + (f" (and {len(others)} more, named above)" if others else "")


def is_disk_full(error: BaseException) -> bool:
    """Whether a write failed because the disk is full.

    Libraries wrap the system's message in exceptions of their own.

    >>> is_disk_full(ValueError("RESOURCE_EXHAUSTED: No space left on device; writing 'd/0'"))
    True
    """
    by_number = isinstance(error, OSError) and error.errno in _DISK_FULL
    return by_number or any(os.strerror(number) in str(error) for number in _DISK_FULL)


def os_error_line(error: OSError) -> str:
    """What the system refused, without the number of its error.

    >>> os_error_line(FileNotFoundError(errno.ENOENT, "No such file or directory", "x.csv"))
    'x.csv: No such file or directory'
    """
    where = "" if error.filename is None else f"{error.filename}: "
    return where + (error.strerror or str(error) or type(error).__name__)


def write_failure(error: BaseException, what: str, rest: str = "") -> RunError:
    """The error to raise for a failed write, with its reason in one line.

    >>> write_failure(ValueError("a\\n  b"), "x: y cannot be written", "; z is intact")
    RunError('x: y cannot be written (a b); z is intact')
    """
    full = is_disk_full(error)
    reason = "no space left on the disk" if full else " ".join(str(error).split())[:200]
    return (DiskFullError if full else RunError)(f"{what} ({reason}){rest}")


class Terminated(KeyboardInterrupt):
    """The process received SIGTERM; it ends as on Ctrl-C, but with a different exit status."""


def printable(text: str) -> str:
    r"""Untrusted text with its line breaks and control characters escaped.

    >>> printable("a\x1b[31m\n")
    'a\\x1b[31m\\n'
    """
    return "".join(map(_printable, text))


def _printable(character: str) -> str:
    if character.isprintable():
        return character
    return character.encode("unicode_escape").decode("ascii")
