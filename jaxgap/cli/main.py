"""The list of commands, and how errors end them."""

import contextlib
import dataclasses
import functools
import io
import itertools
import operator
import os
import re
import sys
from collections.abc import Sequence
from typing import Annotated, Any, Protocol

import tyro

from jaxgap import __version__
from jaxgap.cli.backtest import Backtest
from jaxgap.cli.bench import Bench
from jaxgap.cli.compare import Compare
from jaxgap.cli.demo import Demo
from jaxgap.cli.endings import USAGE_ERROR, ending, printed
from jaxgap.cli.export import Export
from jaxgap.cli.fit import Fit
from jaxgap.cli.forecast import Forecast
from jaxgap.cli.help_texts import filled_help_texts
from jaxgap.cli.improve import Improve
from jaxgap.cli.option_names import in_options, options
from jaxgap.cli.plan import Plan
from jaxgap.cli.report import Report
from jaxgap.cli.schedule import Schedule
from jaxgap.cli.watch import Watch
from jaxgap.errors import InputError, RunError

_COMMANDS = {
    "demo": Demo,
    "improve": Improve,
    "watch": Watch,
    "fit": Fit,
    "forecast": Forecast,
    "backtest": Backtest,
    "compare": Compare,
    "bench": Bench,
    "report": Report,
    "export": Export,
    "schedule": Schedule,
    "plan": Plan,
}


class _Runs(Protocol):
    def run(self) -> None: ...


def run_command(argv: Sequence[str] | None = None) -> None:
    """Run one command; exit with one line on stderr if it fails.

    The exit status is 2 if the user must change something, 1 if a run could not continue.
    """
    argv = sys.argv[1:] if argv is None else list(argv)
    try:
        if argv[:1] == ["--version"]:
            print(f"jaxgap {__version__}")
        else:
            _parse(argv).run()
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader (a pager, head) has gone; the flush at exit would fail and report it again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (InputError, RunError, OSError) as error:
        _refuse(*ending(error, argv))


def _parse(argv: Sequence[str]) -> _Runs:
    """The command that the arguments name; errors become one line."""
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            command = tyro.cli(
                _choice(argv),
                prog="jaxgap",
                description=(
                    "Self-improvement of language models through the solver-verifier gap: "
                    "run it, measure it, forecast its limit. `jaxgap --version` prints the version."
                ),
                args=list(argv),
                registry=filled_help_texts(),
            )
        if isinstance(command, Improve):
            return dataclasses.replace(command, typed=_typed(argv))
        return command
    except SystemExit as stop:
        if stop.code == USAGE_ERROR:
            refused = _refused_value(stop)
            if refused is not None:
                _refuse(in_options(str(refused), argv))
            _refuse(_one_line(said.getvalue(), argv))
        raise


def _typed(argv: Sequence[str]) -> frozenset[str]:
    """The options that a user typed, as their help spells them."""
    return frozenset(option.replace("_", "-") for option in options(argv))


def _choice(argv: Sequence[str]) -> Any:
    """The commands; all but the requested one are described only by their first paragraph."""

    def described(name: str, command: type) -> Any:
        summary = None if name in argv[:1] else (command.__doc__ or "").partition("\n\n")[0]
        return Annotated[command, tyro.conf.subcommand(name, description=summary)]

    return functools.reduce(operator.or_, itertools.starmap(described, _COMMANDS.items()))


def _refused_value(stop: SystemExit) -> InputError | None:
    """The error of an option group about an illegal value, if that is why tyro stopped.

    tyro's own message adds its name for the group and breaks the text into lines.
    """
    cause = stop.__context__
    while cause is not None and not isinstance(cause, InputError):
        cause = cause.__context__
    return cause


def _one_line(panel: str, argv: Sequence[str]) -> str:
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
            if found.group() in _typed(argv):
                return ""
            return said.format(found.group())
    # The errors of each type of a union do not help if the value fits none.
    return section.partition(". Got errors: ")[0]


def _refuse(line: str, status: int = USAGE_ERROR) -> None:
    print(printed(line), file=sys.stderr)
    sys.exit(status)
