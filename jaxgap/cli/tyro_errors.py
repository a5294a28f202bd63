"""tyro's errors, which it prints in frames, as one line."""

import re
from collections.abc import Sequence

from jaxgap.cli.option_names import typed_options
from jaxgap.errors import InputError


def refused_value(stop: SystemExit) -> InputError | None:
    """The error of an option group about an illegal value, if that is why tyro stopped.

    tyro's own message adds its name for the group and breaks the text into lines.
    """
    cause = stop.__context__
    while cause is not None and not isinstance(cause, InputError):
        cause = cause.__context__
    return cause


def one_line(panel: str, argv: Sequence[str]) -> str:
    """The error in tyro's framed message, with its closest suggestion."""
    said = [part for section in _sections(panel) if (part := _shortened(section, argv))]
    return "; ".join(said)


def _sections(panel: str) -> list[str]:
    """The text of a frame without its title, split at its horizontal rules."""
    sections: list[list[str]] = [[]]
    # Frames are drawn in ASCII if the stream requires it; the first line has the title.
    for line in re.sub(r"\x1b\[[0-9;]*m", "", panel).splitlines()[1:]:
        words = line.strip("│ ")
        if words and not words.strip("─-╰╯"):
            sections.append([])
        else:
            sections[-1] += words.split()
    # Some of tyro's messages contain rich markup that it prints verbatim.
    return [re.sub(r"`\[bold\](.*?)\[/bold\]`", r"`\1`", " ".join(words)) for words in sections]


def _shortened(section: str, argv: Sequence[str]) -> str:
    """A section without help texts, which may be many from other commands."""
    if section.startswith("Argument helptext"):
        return ""
    for beginning, wanted, said in (
        ("Perhaps you meant", r"--[\w-]+", "perhaps {}"),
        ("For full helptext", r"jaxgap.*--help", "see {}"),
    ):
        found = re.search(wanted, section) if section.startswith(beginning) else None
        if found is not None:
            # An option of another command, spelt as typed: what this one lacks was said already.
            if found.group() in typed_options(argv):
                return ""
            return said.format(found.group())
    # The errors of each type of a union do not help if the value fits none.
    return section.partition(". Got errors: ")[0]
