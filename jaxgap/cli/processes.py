"""Options of a run with several processes, often on several hosts."""

import contextlib
import dataclasses
import os
import shlex
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated

import tyro

from jaxgap.cli.endings import RUN_ERROR, ending, printed
from jaxgap.errors import InputError, RunError
from jaxgap.run_files import CONFIG_FILE

_ADDRESS, _NUMBER, _ID = "JAX_COORDINATOR_ADDRESS", "JAX_NUM_PROCESSES", "JAX_PROCESS_ID"
_MAX_PORT = 65535
# Advice when a process was lost: resume the run, or start again if there is none yet.
_SAME = "start all of them again with the same command"
# How long the first process stays, so that the others can say why they end.
_STAY_SECONDS = 3


@dataclasses.dataclass(frozen=True)
class Processes:
    """The processes of a run: one, unless these options or the environment say otherwise."""

    coordinator: Annotated[str | None, tyro.conf.arg(metavar="HOST:PORT")] = None
    """For a run of several processes that share a mesh, each started with this command: the address
    of the first process, the same for all, or auto where JAX can find it (Slurm, Open MPI, TPUs).
    By default $JAX_COORDINATOR_ADDRESS."""
    num_processes: Annotated[int | None, tyro.conf.arg(metavar="N")] = None
    """Number of processes; by default $JAX_NUM_PROCESSES."""
    process_id: Annotated[int | None, tyro.conf.arg(metavar="I")] = None
    """Index of this process, from 0; by default $JAX_PROCESS_ID."""

    @contextlib.contextmanager
    def joined(self, folder: Path) -> Iterator[None]:
        """Join the other processes, if there are any.

        Ends the process with one line if the others are not found, or are lost.

        **Raises:** `InputError` if the options do not identify the processes.
        """
        from jaxgap.sharding import AUTO, join_processes

        coordinator = self.coordinator or os.environ.get(_ADDRESS)
        number = _count("--num-processes", self.num_processes, _NUMBER)
        index = _count("--process-id", self.process_id, _ID)
        if coordinator is None:
            if number not in (None, 1):
                raise InputError(f"--num-processes {number} needs --coordinator HOST:PORT")
            yield
            return
        _check_address(coordinator)
        if coordinator != AUTO and (number is None or index is None or not 0 <= index < number):
            raise InputError(
                f"--coordinator {coordinator} needs --num-processes N and --process-id I, from 0 "
                f"to N - 1, got {number} and {index}"
            )
        with _survived_by(folder) as say_nothing, _ended_together(folder, say_nothing, index):
            join_processes(coordinator, number, index)
            yield


def _count(option: str, given: int | None, variable: str) -> int | None:
    if given is not None:
        return given
    word = os.environ.get(variable)
    if word is not None and not (word.isascii() and word.isdecimal()):
        raise InputError(f"{option}: ${variable} must be a whole number, got {word!r}")
    return None if word is None else int(word)


def _check_address(coordinator: str) -> None:
    """Refuse an address on which `jax.distributed` would fail or wait until its timeout."""
    from jaxgap.sharding import AUTO

    host, _, port = coordinator.rpartition(":")
    is_port = port.isascii() and port.isdecimal() and 1 <= int(port[:9]) <= _MAX_PORT
    if coordinator != AUTO and not (host and is_port):
        raise InputError(
            f"--coordinator {coordinator}: must be HOST:PORT, the port from 1 to {_MAX_PORT}, "
            "or auto"
        )


@contextlib.contextmanager
def _survived_by(folder: Path) -> Iterator[Callable[[], object]]:
    """Have a line printed if this process ends without a message of ours.

    No Python code runs any more if it is killed, or if `jax.distributed` aborts it because its
    coordinator is gone. So another process prints the line if the pipe between the two closes
    without a message.

    **Returns:** a function that keeps it from printing.
    """
    lost = "jaxgap: this process or another was lost: "
    program = (
        "import os, sys; sys.stdin.read() or "
        "print(sys.argv[2 if os.path.exists(sys.argv[1]) else 3], file=sys.stderr)"
    )
    lines = [lost + _resumed(folder), lost + _SAME]
    survivor = subprocess.Popen(
        [sys.executable, "-S", "-c", program, str(folder / CONFIG_FILE), *lines],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        start_new_session=True,  # signals to the whole job do not reach it
    )

    def say_nothing() -> None:
        survivor.communicate(b"all is said")

    try:
        yield say_nothing
    finally:
        say_nothing()


@contextlib.contextmanager
def _ended_together(
    folder: Path, say_nothing: Callable[[], object], index: int | None
) -> Iterator[None]:
    """If the processes cannot continue together, print why in one line, and exit at once.

    Their computation can never finish, so nothing may wait for it: not even the shutdown of
    `jax.distributed`, which needs all processes. It succeeds only where all of them raise.
    """
    from jaxgap.sharding import InputErrorInAll, ProcessLost, barrier, is_loss

    try:
        yield
        # Wait for the others, to which `jax.distributed` would give only half a minute.
        barrier()
        return
    except (InputErrorInAll, BrokenPipeError):
        raise
    except Exception as error:
        failure = ProcessLost(error) if is_loss(error) else error
    said, status = _message_and_status(failure, folder)
    say_nothing()
    print(said, file=sys.stderr, flush=True)
    if index == 0:
        # `jax.distributed` aborts the others as soon as the first process has gone.
        time.sleep(_STAY_SECONDS)
    os._exit(status)


def _message_and_status(failure: Exception, folder: Path) -> tuple[str, int]:
    """What to print of a failure, and the exit status."""
    from jaxgap.sharding import ProcessLost

    if not isinstance(failure, InputError | RunError | OSError):
        return "".join(traceback.format_exception(failure)), RUN_ERROR
    line, status = ending(failure)
    if isinstance(failure, ProcessLost):
        line += f": {_resumed(folder) if (folder / CONFIG_FILE).exists() else _SAME}"
    return printed(line), status


def _resumed(folder: Path) -> str:
    return f"start all of them again with --resume {shlex.quote(str(folder))}"
