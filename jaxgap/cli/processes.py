"""Options of a run that several processes, often on several hosts, work on together."""

import contextlib
import dataclasses
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated

import tyro

from jaxgap.errors import InputError, RunError
from jaxgap.improve.runs.run_files import CONFIG_FILE

RUN_ERROR = 1

_ADDRESS, _NUMBER, _ID = "JAX_COORDINATOR_ADDRESS", "JAX_NUM_PROCESSES", "JAX_PROCESS_ID"
_MAX_PORT = 65535
# What to do where a process was lost: there is a run to resume, or not yet.
_RESUMED = "start all of them again with --resume {}"
_SAME = "start all of them again with the same command"


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
        """Work together with the others, if there are any.

        Ends the process in one line if the others are not found, or are lost.

        **Raises:** `InputError` if the options do not say who takes part.
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
        with _survived_by(folder) as say_nothing, _ended_together(folder, say_nothing):
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
    """Refuse an address that `jax.distributed` would fail at, or wait for until it gives up."""
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
    """Have a line said if this process ends without a word of ours.

    Nothing of Python runs any more where it is killed, or where `jax.distributed` aborts it since
    its coordinator is gone. So another process says it, once the pipe between the two closes and
    nothing came through.

    **Returns:** what to call in order that it says nothing.
    """
    lost = "jaxgap: this process or another was lost: "
    program = (
        "import os, sys; sys.stdin.read() or "
        "print(sys.argv[2 if os.path.exists(sys.argv[1]) else 3], file=sys.stderr)"
    )
    lines = [lost + _RESUMED.format(folder), lost + _SAME]
    survivor = subprocess.Popen(
        [sys.executable, "-S", "-c", program, str(folder / CONFIG_FILE), *lines],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        start_new_session=True,  # signals to the whole job reach it not
    )

    def say_nothing() -> None:
        survivor.communicate(b"all is said")

    try:
        yield say_nothing
    finally:
        say_nothing()


@contextlib.contextmanager
def _ended_together(folder: Path, say_nothing: Callable[[], object]) -> Iterator[None]:
    """Say in one line why the processes cannot continue together, and exit at once.

    What they were computing cannot end any more, so nothing may wait for it: not even the farewell
    of `jax.distributed`, for which all would have to be there.
    """
    import jax

    from jaxgap.sharding import barrier

    try:
        yield
        # Who is done waits for the others: `jax.distributed` would give them half a minute.
        barrier()
    except RunError as error:
        line = str(error)
    except jax.errors.JaxRuntimeError as error:
        reason = " ".join(str(error).split())[:150]
        is_run = (folder / CONFIG_FILE).exists()
        again = _RESUMED.format(folder) if is_run else _SAME
        line = f"another process has gone or cannot continue ({reason}): {again}"
    else:
        return
    say_nothing()
    print(f"jaxgap: {line}", file=sys.stderr, flush=True)
    os._exit(RUN_ERROR)
