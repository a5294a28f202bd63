"""How an error ends a command: with one line, and an exit status."""

from collections.abc import Sequence

from jaxgap.cli.option_names import in_options
from jaxgap.errors import InputError, RunError, is_disk_full, os_error_line

USAGE_ERROR = 2
"""The user must change something."""

RUN_ERROR = 1
"""A run could not continue."""


def ending(error: InputError | RunError | OSError, argv: Sequence[str] = ()) -> tuple[str, int]:
    """The line for an error, and the exit status.

    **Arguments:**

    - `error`: the error; from the system, it is a name too long, an unreadable folder, a full disk.
    - `argv`: what the user typed.
    """
    if isinstance(error, InputError):
        return in_options(str(error), argv), USAGE_ERROR
    if isinstance(error, RunError):
        return in_options(str(error)), RUN_ERROR
    return os_error_line(error), RUN_ERROR if is_disk_full(error) else USAGE_ERROR


def printed(line: str) -> str:
    """The line as it is printed.

    File names may contain line breaks and control characters, which `InputError` escapes.
    """
    return f"jaxgap: {InputError(line)}"
