"""Which commands there are, and how a mistake ends one."""

import contextlib
import io
import os
import re
import sys
from collections.abc import Sequence
from typing import Annotated, Protocol

import tyro

from jaxgap.cli.backtest import Backtest
from jaxgap.cli.bench import Bench
from jaxgap.cli.compare import Compare
from jaxgap.cli.demo import Demo
from jaxgap.cli.export import Export
from jaxgap.cli.fit import Fit
from jaxgap.cli.forecast import Forecast
from jaxgap.cli.improve import Improve
from jaxgap.cli.plan import Plan
from jaxgap.cli.processes import RUN_ERROR
from jaxgap.cli.report import Report
from jaxgap.cli.schedule import Schedule
from jaxgap.cli.watch import Watch
from jaxgap.errors import InputError, RunError

USAGE_ERROR = 2

Command = (
    Annotated[Demo, tyro.conf.subcommand("demo")]
    | Annotated[Improve, tyro.conf.subcommand("improve")]
    | Annotated[Watch, tyro.conf.subcommand("watch")]
    | Annotated[Fit, tyro.conf.subcommand("fit")]
    | Annotated[Forecast, tyro.conf.subcommand("forecast")]
    | Annotated[Backtest, tyro.conf.subcommand("backtest")]
    | Annotated[Compare, tyro.conf.subcommand("compare")]
    | Annotated[Bench, tyro.conf.subcommand("bench")]
    | Annotated[Report, tyro.conf.subcommand("report")]
    | Annotated[Export, tyro.conf.subcommand("export")]
    | Annotated[Schedule, tyro.conf.subcommand("schedule")]
    | Annotated[Plan, tyro.conf.subcommand("plan")]
)


class _Runs(Protocol):
    def run(self) -> None: ...


def run_command(argv: Sequence[str] | None = None) -> None:
    """Run one command; exit with one line on stderr where it cannot be done.

    The status is 2 where the user must change something, 1 where a run could not go on.
    """
    try:
        _parse(sys.argv[1:] if argv is None else argv).run()
        sys.stdout.flush()
    except InputError as error:
        _refuse(str(error))
    except RunError as error:
        _refuse(str(error), RUN_ERROR)
    except BrokenPipeError:
        # The reader (a pager, head) has gone; a second failed flush at exit would say so again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        # A name too long, a folder that may not be read, a disk that is full.
        _refuse(str(InputError(f"{error.filename}: {error.strerror}")))


def _parse(argv: Sequence[str]) -> _Runs:
    """The command that the arguments name; mistakes become one line."""
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            return tyro.cli(
                Command,  # pyright: ignore[reportArgumentType]
                prog="jaxgap",
                description=(
                    "Self-improvement of language models through the solver-verifier gap: "
                    "run it, measure it, forecast its limit."
                ),
                args=list(argv),
            )
    except SystemExit as stop:
        if stop.code == USAGE_ERROR:
            _refuse(_one_line(said.getvalue()))
        raise


def _one_line(panel: str) -> str:
    """The words of tyro's framed message without the frame."""
    words = re.sub(r"\x1b\[[0-9;]*m|[─│╭╮╰╯]+", " ", panel)
    return " ".join(words.split())


def _refuse(line: str, status: int = USAGE_ERROR) -> None:
    print(f"jaxgap: {line}", file=sys.stderr)
    sys.exit(status)
