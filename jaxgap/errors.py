"""The errors that end a command in one line, without a traceback."""


class InputError(ValueError):
    """Something that came from outside is wrong: a file, an option, a folder.

    The message is one line that says what was wrong, where, and what to do. The command line
    prints it and exits with status 2; from Python it is a `ValueError` like any other. What it
    quotes may hold anything, so line breaks and control characters are written as escapes.

    **Example:**

    >>> str(InputError("a\\nb.csv: no such file"))
    'a\\\\nb.csv: no such file'
    """

    def __init__(self, message: str):
        super().__init__("".join(map(_printable, message)))


class RunError(RuntimeError):
    """A run had to end early through no mistake of the user's: a full disk, numbers that blew up.

    The message is one line that says what happened and how to go on. The command line prints it
    and exits with status 1.
    """


class Terminated(KeyboardInterrupt):
    """The process was told to end by SIGTERM; it ends as if by Ctrl-C, with another exit status."""


def _printable(character: str) -> str:
    if character.isprintable():
        return character
    return character.encode("unicode_escape").decode("ascii")
