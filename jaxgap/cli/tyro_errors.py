"""tyro's errors, which it prints in frames, as one line."""

import re
from collections.abc import Collection, Sequence

from jaxgap.cli.option_names import typed_options
from jaxgap.errors import InputError

# What an option takes, by what tyro says of a value that it cannot have.
_WANTED = {
    "FLOAT FLOAT": "two numbers",
    "INT": "a whole number",
    "int()": "a whole number",
    "FLOAT": "a number",
    "to float": "a number",
}


def refused_value(stop: SystemExit) -> InputError | None:
    """The error of an option group about an illegal value, if that is why tyro stopped.

    tyro's own message adds its name for the group and breaks the text into lines.
    """
    cause = stop.__context__
    while cause is not None and not isinstance(cause, InputError):
        cause = cause.__context__
    return cause


def one_line(panel: str, argv: Sequence[str], commands: Collection[str] = ()) -> str:
    """The error in tyro's framed message, with its closest suggestion.

    The help that it names is that of the command in `argv`, if that is one of `commands`.
    """
    sections = _sections(panel)
    said = [part for section in sections if (part := _shortened(section, argv))]
    said[0] = _wrong_value(sections, argv) or said[0]
    line = "; ".join(said)
    if argv and argv[0] in commands:
        return re.sub(r"see jaxgap --help$", f"see jaxgap {argv[0]} --help", line)
    return line


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
    texts = [" ".join(words) for words in sections if words]
    return [re.sub(r"`\[bold\](.*?)\[/bold\]`", r"`\1`", text) for text in texts]


def _wrong_value(sections: Sequence[str], argv: Sequence[str]) -> str:
    """What an option takes instead of what was typed; empty if that is not the error."""
    found = re.match(r"Error parsing (--[\w-]+): ([^']*)", sections[0])
    if found is None:
        return ""
    option, why = found.groups()
    wanted = next((words for sign, words in _WANTED.items() if sign in why), "")
    if why.startswith("Could not find valid parse"):
        whole = any(each.startswith(f"Argument helptext: {option} [INT") for each in sections)
        wanted = "whole numbers" if whole else "numbers"
    if not wanted:
        return ""
    values = _values(option, argv)
    values = values[:1] if wanted.startswith("a ") else values
    return f"{option} takes {wanted}, got {' '.join(map(repr, values)) or 'none'}"


def _values(option: str, argv: Sequence[str]) -> list[str]:
    """What was typed after an option, the last time that it was."""
    values: list[str] = []
    is_after = False
    for each in argv:
        if each.startswith("--"):
            name, separator, value = each.partition("=")
            is_after = name.replace("_", "-") == option
            if is_after:
                values = [value] if separator else []
        elif is_after:
            values.append(each)
    return values


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
