"""The one kind of error that is the user's to mend."""


class InputError(ValueError):
    """Something that came from outside is wrong: a file, an option, a folder.

    The message is one line that says what was wrong, where, and what to do. The command line
    prints it and exits with status 2; from Python it is a `ValueError` like any other.
    """
