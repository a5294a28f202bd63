"""Help texts: their lines end where the width does, not where those of the source do."""

import contextlib
import io
import itertools
import re

import pytest

from jaxgap.cli.main import run_command

COMMANDS = (
    *("demo", "improve", "watch", "fit", "forecast", "backtest"),
    *("compare", "bench", "report", "export", "schedule", "plan"),
)


def help_lines(argv, width, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(width))
    shown = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")  # which is what frames are drawn for
    with contextlib.redirect_stdout(shown), pytest.raises(SystemExit) as stop:
        run_command([*argv, "--help"])
    assert stop.value.code == 0
    shown.seek(0)
    return shown.read().splitlines()


def indent(line):
    return len(line) - len(line.lstrip(" "))


def text_starts(line):
    """The columns at which a text that goes on in the next line may have begun in this one."""
    return {column for column in range(2, len(line)) if line[column - 2 : column] == "  "} | {0, 1}


def is_ragged(line, following, width):
    """Whether what follows goes on with this line's text, although its first word had room."""
    if not line.strip() or not following.strip() or following.lstrip()[0] in "-•":
        return False
    start = indent(following)
    if start not in text_starts(line) or not line[start:].strip() or line[start] == " ":
        return False
    # tyro breaks a long word after its commas too.
    words = following.split()[0]
    first = words.partition(",")[0] + ("," if "," in words else "")
    return len(line.rstrip()) + 1 + len(first) <= width


def ragged(lines):
    """The lines within frames, and those above them, that end before their width does."""
    found = []
    for line, following in itertools.pairwise(lines):
        if line[:1] == following[:1] == "│":
            inside = len(line) - 3  # within the frame, and a space before its right side
            if is_ragged(line[1:-1].rstrip(), following[1:-1].rstrip(), inside):
                found.append(line)
        elif not {line[:1], following[:1]} & set("│╭╰ ") and line and following:
            found.append(line)  # tyro leaves the lines of a description to the terminal
    return found


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize("argv", [[], *([name] for name in COMMANDS)], ids=" ".join)
def test_no_line_of_a_help_text_is_ragged(argv, width, monkeypatch):
    lines = help_lines(argv, width, monkeypatch)
    assert max(len(line) for line in lines if line[:1] == "│") <= width
    assert not ragged(lines)


@pytest.mark.parametrize("name", COMMANDS)
def test_all_commands_are_shown_by_one_sentence_each_and_one_by_all_there_is(name, monkeypatch):
    shown = " ".join(help_lines([], 10_000, monkeypatch))
    alone = " ".join(help_lines([name], 10_000, monkeypatch))
    sentences = re.search(rf"• {name} +([^•│]*)", shown)[1].strip()
    assert sentences.endswith(".")
    assert ". " not in sentences
    first = alone.index(sentences)
    assert alone[first + len(sentences) :].strip()[0] not in "╭│"  # more of it follows


def test_ragged_lines_are_seen():
    assert ragged(
        [
            "│ --stop-when GAIN     End the run: that it gains less                         │",
            "│                      than GAIN, in nats of the solver's uncertainty.         │",
        ]
    )
    assert ragged(["ready for `jaxgap fit` and", "`jaxgap report`."])
    assert not ragged(
        [
            "│ --more-rounds K      With --resume: K rounds more than the run was asked     │",
            "│                      for. (default: 0)                                       │",
            "│ --seed INT           Seed. (default: 0)                                      │",
            "│ --dtype {float32,bfloat16}                                                   │",
            "│                      Floating type of activations and products.              │",
        ]
    )
