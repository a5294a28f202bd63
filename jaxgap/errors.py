"""The errors that end a command in one line, without a traceback."""


class InputError(ValueError):
    """Something that came from outside is wrong: a file, an option, a folder.

    The message is one line that says what was wrong, where, and what to do. The command line
    prints it and exits with status 2; from Python it is a `ValueError` like any other.
    """


class RunError(RuntimeError):
    """A run had to end early through no mistake of the user's: a full disk, numbers that blew up.

    The message is one line that says what happened and how to go on. The command line prints it
    and exits with status 1.
    """


class Terminated(KeyboardInterrupt):
    """The process was told to end by SIGTERM; it ends as if by Ctrl-C, with another exit status."""
