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

import jax
import numpy as np
from jax.experimental import multihost_utils

from jaxgap.errors import InputError, RunError

AUTO = "auto"
"""Coordinator address for automatic detection by JAX: under Slurm, Open MPI, or on TPUs."""

HEARTBEAT_SECONDS = 60
"""How long a process may be silent before the others consider it dead."""

_JOIN_SECONDS = 300
_LEAVE_SECONDS = 30


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


def barrier() -> None:
    """Wait until every process has reached this point."""
    all_agree(True)


def run_on_first(action: Callable[[], object]) -> None:
    """Run an action in the first process while the others wait.

    **Raises:** `InputError` in all of them where the action does.
    """
    failure = None
    if is_first():
        try:
            action()
        except InputError as error:
            failure = error
    if not all_agree(failure is None):
        raise failure or InputError("the first process cannot continue, and says why")


def _of_all(value: np.ndarray | bool) -> np.ndarray:
    """The arrays of all processes, stacked along a new first axis."""
    if jax.process_count() == 1:
        return np.asarray(value)[None]
    return np.asarray(multihost_utils.process_allgather(np.asarray(value)))
