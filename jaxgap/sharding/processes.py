"""Many processes that run one program on one mesh, each with its own devices.

All of them do the same, in the same order, on the same numbers on their hosts; what the devices
compute together they compute as one. What must not be done twice (writing a file) or may come out
otherwise (looking at a disk, a grader that runs out of time) the first process does, and broadcasts
the result. A process that dies takes the others with it: `jax.distributed` counts heartbeats.
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
"""The coordinator's address where JAX finds out by itself: under Slurm, Open MPI, or on TPUs."""

HEARTBEAT_SECONDS = 60
"""How long a process may be silent before the others count it as dead."""

_JOIN_SECONDS = 300
_LEAVE_SECONDS = 30


def join_processes(
    coordinator: str, num_processes: int | None = None, process_id: int | None = None
) -> None:
    """Join the other processes, before JAX is asked for anything; waits until all are there.

    **Arguments:**

    - `coordinator`: address and port of the first process, the same for all, or :data:`AUTO`.
    - `num_processes`: how many there are, >= 1; None with :data:`AUTO`.
    - `process_id`: which of them this is, from 0; None with :data:`AUTO`.

    **Raises:** `InputError` if this is the first process and the port is not to be had; `RunError`
    in one line if they do not find each other, or one is lost at once.
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
            # Under Slurm JAX would give each process one device, though it is told who is who.
            cluster_detection_method=None if coordinator == AUTO else "deactivate",
        )
        # While all are here: on CPUs (Gloo) the first exchange has to begin within half a minute.
        barrier()
    except (RuntimeError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        raise RunError(f"the processes cannot meet at {coordinator}: {reason}") from error


def _require_free(coordinator: str) -> None:
    """Refuse a port that is taken, at which the process would crash."""
    _, _, port = coordinator.rpartition(":")
    both = socket.has_dualstack_ipv6()
    family = socket.AF_INET6 if both else socket.AF_INET
    try:
        socket.create_server(("", int(port)), family=family, dualstack_ipv6=both).close()
    except OSError as error:
        reason = os.strerror(error.errno or 0)  # to its own words the socket adds an address
        raise InputError(
            f"{coordinator}: cannot listen on this port ({reason}): use another, the same in "
            "every process"
        ) from error


def is_first() -> bool:
    """Whether this process is the one that writes and decides."""
    return jax.process_index() == 0


def broadcast_from_first(value: np.ndarray) -> np.ndarray:
    """The first process's array; all processes give one, of the same shape and type."""
    if jax.process_count() == 1:
        return value
    # As bytes: on the way arrays become JAX's own, which has no float64 here.
    flat = np.frombuffer(np.ascontiguousarray(value).tobytes(), np.uint8)
    return np.frombuffer(_of_all(flat)[0].tobytes(), value.dtype).reshape(value.shape)


def all_agree(satisfied: bool) -> bool:
    """Whether it is true in every process."""
    return bool(_of_all(satisfied).all())


def barrier() -> None:
    """Wait until every process has come this far."""
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
    """An array of each process, one after another."""
    if jax.process_count() == 1:
        return np.asarray(value)[None]
    return np.asarray(multihost_utils.process_allgather(np.asarray(value)))
