"""The list of commands, and how errors end them."""

import contextlib
import dataclasses
import functools
import io
import itertools
import operator
import os
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
from jaxgap.cli.option_names import in_options, typed_options
from jaxgap.cli.plan import Plan
from jaxgap.cli.report import Report
from jaxgap.cli.schedule import Schedule
from jaxgap.cli.tyro_errors import one_line, refused_value
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
        if isinstance(command, Improve | Bench):
            return dataclasses.replace(command, typed=typed_options(argv))
        return command
    except SystemExit as stop:
        if stop.code == USAGE_ERROR:
            refused = refused_value(stop)
            if refused is not None:
                _refuse(in_options(str(refused), argv))
            _refuse(one_line(said.getvalue(), argv, _COMMANDS))
        raise


def _choice(argv: Sequence[str]) -> Any:
    """The commands; all but the requested one are described only by their first paragraph."""

    def described(name: str, command: type) -> Any:
        summary = None if name in argv[:1] else (command.__doc__ or "").partition("\n\n")[0]
        return Annotated[command, tyro.conf.subcommand(name, description=summary)]

    return functools.reduce(operator.or_, itertools.starmap(described, _COMMANDS.items()))


def _refuse(line: str, status: int = USAGE_ERROR) -> None:
    print(printed(line), file=sys.stderr)
    sys.exit(status)
