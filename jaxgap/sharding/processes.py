"""Multiple processes that run one SPMD program on one mesh, each with its own devices.

All processes do the same, in the same order, on the same host data. Whatever must not be done twice
(writing a file) or may differ between processes (looking at a disk, a grader that times out) is
done by the first process, which broadcasts the result. If one process dies, so do the others:
`jax.distributed` monitors heartbeats.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from typing import TypeVar

import jax
import numpy as np
from jax.experimental import multihost_utils

from jaxgap.errors import InputError, RunError, os_error_line

AUTO = "auto"
"""Coordinator address for automatic detection by JAX: under Slurm, Open MPI, or on TPUs."""

HEARTBEAT_SECONDS = 60
"""How long a process may be silent before the others consider it dead."""

_JOIN_SECONDS = 300
_LEAVE_SECONDS = 30
_TEXT_BYTES = 400

_T = TypeVar("_T")


class InputErrorInAll(InputError):
    """An `InputError` that every process raises, so that they can leave together."""


class ProcessLost(RunError):
    """Another process has gone, so what all of them compute together cannot be computed."""

    def __init__(self, error: BaseException):
        reason = " ".join(str(error).split())[:150]
        super().__init__(f"another process has gone or cannot continue ({reason})")


def is_loss(error: BaseException) -> bool:
    """Whether JAX raised this because another process has gone.

    Where an array is read, and not where it is computed, the error of Gloo (CPU) is a `ValueError`.
    """
    by_jax = isinstance(error, jax.errors.JaxRuntimeError)
    return by_jax or (isinstance(error, ValueError) and "Gloo" in str(error))


def join_processes(
    coordinator: str, num_processes: int | None = None, process_id: int | None = None
) -> None:
    """Join the other processes, waiting for all of them; must come before any other use of JAX.

    **Arguments:**

    - `coordinator`: address and port of the first process, the same for all, or :data:`AUTO`.
    - `num_processes`: number of processes, >= 1; None with :data:`AUTO`.
    - `process_id`: index of this process, from 0; None with :data:`AUTO`.

    **Raises:** `InputError` if this is the first process and the port is unavailable; `RunError` in
    one line if the processes do not find each other, or one is lost immediately.
    """
    if coordinator != AUTO and process_id == 0:
        _require_free(coordinator)
    jax.config.update("jax_cpu_collectives_implementation", "gloo")
    try:
        jax.distributed.initialize(
            None if coordinator == AUTO else coordinator,
            num_processes,
            process_id,
            initialization_timeout=_JOIN_SECONDS,
            heartbeat_timeout_seconds=HEARTBEAT_SECONDS,
            shutdown_timeout_seconds=_LEAVE_SECONDS,
            # Under Slurm JAX would give each process one device, even with explicit ids.
            cluster_detection_method=None if coordinator == AUTO else "deactivate",
        )
        # While all are present: with Gloo (CPU) the first collective must start within 30 seconds.
        barrier()
    except (RuntimeError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        raise RunError(f"the processes cannot meet at {coordinator}: {reason}") from error


def _require_free(coordinator: str) -> None:
    """Reject a port that is in use, on which the process would crash."""
    _, _, port = coordinator.rpartition(":")
    both = socket.has_dualstack_ipv6()
    family = socket.AF_INET6 if both else socket.AF_INET
    try:
        socket.create_server(("", int(port)), family=family, dualstack_ipv6=both).close()
    except OSError as error:
        reason = os.strerror(error.errno or 0)  # the socket's own message also has an address
        raise InputError(
            f"{coordinator}: cannot listen on this port ({reason}): use another, the same in "
            "every process"
        ) from error


def is_first() -> bool:
    """Whether this is the first process, which writes files and makes decisions."""
    return jax.process_index() == 0


def broadcast_from_first(value: np.ndarray) -> np.ndarray:
    """The first process's array; every process passes one of the same shape and type."""
    if jax.process_count() == 1:
        return value
    # As bytes: they are sent as JAX arrays, which would not keep float64.
    flat = np.frombuffer(np.ascontiguousarray(value).tobytes(), np.uint8)
    return np.frombuffer(_of_all(flat)[0].tobytes(), value.dtype).reshape(value.shape)


def all_agree(satisfied: bool) -> bool:
    """Whether `satisfied` is true in every process."""
    return bool(_of_all(satisfied).all())


def first_said(text: str) -> str:
    """The text of the first process that has one, shortened to 400 bytes; empty if none does."""
    said = text.encode()[:_TEXT_BYTES]
    padded = np.frombuffer(said.ljust(_TEXT_BYTES, b"\0"), np.uint8)
    for each in _of_all(padded):
        if found := each.tobytes().rstrip(b"\0"):
            return found.decode(errors="ignore")
    return ""


def barrier() -> None:
    """Wait until every process has reached this point."""
    all_agree(True)


def run_on_first(action: Callable[[], object]) -> None:
    """Run an action in the first process while the others wait.

    **Raises:** in all of them where the action does, as :func:`run_in_all`.
    """
    run_in_all(action if is_first() else lambda: None)


def run_in_all(action: Callable[[], _T]) -> _T:
    """Run an action in every process; if it fails in one, none of them continues.

    **Arguments:**

    - `action`: computes nothing that needs the other processes.

    **Raises:** what the action raises, in the processes where it does, and `RunError` in the
    others; with several processes, `InputErrorInAll` in all of them where it raises no other than
    `InputError` and `OSError`.
    """
    if jax.process_count() == 1:
        return action()
    results: list[_T] = []
    failure: Exception | None = None
    try:
        results.append(action())
    except InputError as error:
        failure = InputErrorInAll(str(error))
    except OSError as error:
        failure = InputErrorInAll(os_error_line(error))
    except Exception as error:
        failure = error
    if all_agree(failure is None):
        return results[0]
    others = InputErrorInAll if all_agree(isinstance(failure, InputErrorInAll | None)) else RunError
    raise failure or others("another process cannot continue, and says why")


def _of_all(value: np.ndarray | bool) -> np.ndarray:
    """The arrays of all processes, stacked along a new first axis.

    **Raises:** `ProcessLost`.
    """
    if jax.process_count() == 1:
        return np.asarray(value)[None]
    try:
        return np.asarray(multihost_utils.process_allgather(np.asarray(value)))
    except (ValueError, RuntimeError) as error:
        raise ProcessLost(error) from error
