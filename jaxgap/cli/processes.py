"""Options of a run that many processes, often on many hosts, work on together."""

import contextlib
import dataclasses
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import tyro

from jaxgap.errors import InputError, RunError

RUN_ERROR = 1

_ADDRESS, _NUMBER, _ID = "JAX_COORDINATOR_ADDRESS", "JAX_NUM_PROCESSES", "JAX_PROCESS_ID"


@dataclasses.dataclass(frozen=True)
class Processes:
    """Which processes work on a run: one, if nothing is said here or by the environment."""

    coordinator: Annotated[str | None, tyro.conf.arg(metavar="HOST:PORT")] = None
    """Start this command in several processes that share a mesh: where the first of them is
    reached, the same for all, or auto where JAX can tell (Slurm, Open MPI, TPUs). By default
    $JAX_COORDINATOR_ADDRESS."""
    num_processes: Annotated[int | None, tyro.conf.arg(metavar="N")] = None
    """How many processes; by default $JAX_NUM_PROCESSES."""
    process_id: Annotated[int | None, tyro.conf.arg(metavar="I")] = None
    """Which of them this is, from 0; by default $JAX_PROCESS_ID."""

    @contextlib.contextmanager
    def joined(self, folder: Path) -> Iterator[None]:
        """Work together with the others, if there are any.

        **Raises:** `InputError` if the options do not say who takes part; `RunError` if the others
        are not found.
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
        if coordinator != AUTO and (number is None or index is None or not 0 <= index < number):
            raise InputError(
                f"--coordinator {coordinator} needs --num-processes N and --process-id I, from 0 "
                f"to N - 1, got {number} and {index}"
            )
        join_processes(coordinator, number, index)
        with _ended_together(folder):
            yield


def _count(option: str, given: int | None, variable: str) -> int | None:
    if given is not None:
        return given
    word = os.environ.get(variable)
    if word is not None and not (word.isascii() and word.isdecimal()):
        raise InputError(f"{option}: ${variable} must be a whole number, got {word!r}")
    return None if word is None else int(word)


@contextlib.contextmanager
def _ended_together(folder: Path) -> Iterator[None]:
    """Say in one line why the processes cannot go on together, and leave at once.

    What they were computing cannot end any more, so nothing may wait for it: not even the farewell
    of `jax.distributed`, for which all would have to be there.
    """
    import jax

    try:
        yield
    except RunError as error:
        line = str(error)
    except jax.errors.JaxRuntimeError as error:
        reason = " ".join(str(error).split())[:150]
        line = (
            f"another process has gone, or could not go on ({reason}): start all of them again "
            f"with --resume {folder}"
        )
    else:
        return
    print(f"jaxgap: {line}", file=sys.stderr, flush=True)
    os._exit(RUN_ERROR)
