"""Which commands there are, and how a mistake ends one."""

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

from jaxgap.cli.backtest import Backtest
from jaxgap.cli.bench import Bench
from jaxgap.cli.compare import Compare
from jaxgap.cli.demo import Demo
from jaxgap.cli.export import Export
from jaxgap.cli.fit import Fit
from jaxgap.cli.forecast import Forecast
from jaxgap.cli.help_texts import filled_help_texts
from jaxgap.cli.improve import Improve
from jaxgap.cli.option_names import in_options, options
from jaxgap.cli.plan import Plan
from jaxgap.cli.processes import RUN_ERROR
from jaxgap.cli.report import Report
from jaxgap.cli.schedule import Schedule
from jaxgap.cli.watch import Watch
from jaxgap.errors import InputError, RunError, is_disk_full

USAGE_ERROR = 2

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

    The status is 2 if the user must change something, 1 if a run could not continue.
    """
    argv = sys.argv[1:] if argv is None else argv
    try:
        _parse(argv).run()
        sys.stdout.flush()
    except InputError as error:
        _refuse(in_options(str(error), argv))
    except RunError as error:
        _refuse(str(error), RUN_ERROR)
    except BrokenPipeError:
        # The reader (a pager, head) has gone; a second failed flush at exit would say so again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        # A name too long, a folder that may not be read, a disk that is full.
        where = "" if error.filename is None else f"{error.filename}: "
        reason = error.strerror or str(error) or type(error).__name__
        _refuse(where + reason, RUN_ERROR if is_disk_full(error) else USAGE_ERROR)


def _parse(argv: Sequence[str]) -> _Runs:
    """The command that the arguments name; mistakes become one line."""
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            command = tyro.cli(
                _choice(argv),
                prog="jaxgap",
                description=(
                    "Self-improvement of language models through the solver-verifier gap: "
                    "run it, measure it, forecast its limit."
                ),
                args=list(argv),
                registry=filled_help_texts(),
            )
        if isinstance(command, Improve):
            typed = frozenset(option.replace("_", "-") for option in options(argv))
            return dataclasses.replace(command, typed=typed)
        return command
    except SystemExit as stop:
        if stop.code == USAGE_ERROR:
            refused = _refused_value(stop)
            if refused is not None:
                _refuse(in_options(str(refused), argv))
            _refuse(_one_line(said.getvalue()))
        raise


def _choice(argv: Sequence[str]) -> Any:
    """The commands, all but the one that is asked for described by their first sentence alone."""

    def described(name: str, command: type) -> Any:
        summary = None if name in argv[:1] else (command.__doc__ or "").partition("\n\n")[0]
        return Annotated[command, tyro.conf.subcommand(name, description=summary)]

    return functools.reduce(operator.or_, itertools.starmap(described, _COMMANDS.items()))


def _refused_value(stop: SystemExit) -> InputError | None:
    """What a group of options says of a value that it cannot have, if tyro stopped for that.

    In tyro's own message it comes with tyro's name for the group, and broken into lines.
    """
    cause = stop.__context__
    while cause is not None and not isinstance(cause, InputError):
        cause = cause.__context__
    return cause


def _one_line(panel: str) -> str:
    """What tyro's framed message says is wrong, and the nearest of what it says may help."""
    said = [part for section in _sections(panel) if (part := _shortened(section))]
    return "; ".join(said)


def _sections(panel: str) -> list[str]:
    """The words of a frame without its title, divided where it has a rule."""
    sections: list[list[str]] = [[]]
    # Drawn with signs of ASCII where the stream has no others; the first line has the title.
    for line in re.sub(r"\x1b\[[0-9;]*m", "", panel).splitlines()[1:]:
        words = line.strip("│ ")
        if words and not words.strip("─-╰╯"):
            sections.append([])
        else:
            sections[-1] += words.split()
    # Some of tyro's messages have rich's markup, which it then prints as it is.
    return [re.sub(r"`\[bold\](.*?)\[/bold\]`", r"`\1`", " ".join(words)) for words in sections]


def _shortened(section: str) -> str:
    """A section without help texts, of which other commands may have many."""
    if section.startswith("Argument helptext"):
        return ""
    for beginning, wanted, said in (
        ("Perhaps you meant", r"--[\w-]+", "perhaps {}"),
        ("For full helptext", r"jaxgap.*--help", "see {}"),
    ):
        found = re.search(wanted, section) if section.startswith(beginning) else None
        if found is not None:
            return said.format(found.group())
    # What each type of several says is of no use where the value is none of any.
    return section.partition(". Got errors: ")[0]


def _refuse(line: str, status: int = USAGE_ERROR) -> None:
    # Names of files may contain line breaks and control characters: they are written as escapes.
    print(f"jaxgap: {InputError(line)}", file=sys.stderr)
    sys.exit(status)
