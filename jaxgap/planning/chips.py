"""The TPUs that can be planned for, with the memory and peak rates of one chip.

Rates are those of Google's pages (cloud.google.com/tpu/docs/v5e, /v5p, /v6e): peak rates, which no
program reaches. Bidirectional link rates are halved. Memory is what the compiler lets a program
use, slightly less than the chip has. The v4 is left out: its compiler describes two devices per
chip, which JAX presents as one at run time.
"""

from __future__ import annotations

import importlib.util
import math
import os
import re
import signal
import threading
from typing import Any, NamedTuple

from jaxgap.errors import InputError

_GIB = 2**30


class Chip(NamedTuple):
    """One chip, which is one device to a program.

    **Fields:**

    - `name`: as in a topology, such as `v5e`.
    - `hbm_bytes`: memory available to a program.
    - `flops`: bf16 operations per second.
    - `hbm_rate`: bytes per second between HBM and core.
    - `link_rate`: bytes per second over all links to other chips, in one direction.
    """

    name: str
    hbm_bytes: int
    flops: float
    hbm_rate: float
    link_rate: float


CHIPS = {
    chip.name: chip
    for chip in (
        Chip("v5e", int(15.75 * _GIB), 197e12, 819e9, 200e9),
        Chip("v5p", int(95.74 * _GIB), 459e12, 2765e9, 600e9),
        Chip("v6e", int(31.25 * _GIB), 918e12, 1638e9, 400e9),
    )
}
_TOPOLOGY = re.compile(r"(\w+):(\d{1,4}(?:x\d{1,4}){1,2})")
_LARGEST = {"v5e": (16, 16), "v5p": (16, 16, 24), "v6e": (16, 16)}
"""The largest slice of each. The compiler accepts larger ones, and other numbers of dimensions."""


def chip_of(topology: str) -> Chip:
    """The chip of a topology such as `v5e:4x4`.

    **Raises:** `InputError` if the chip is unknown, or there is no such slice.

    >>> chip_of("v5e:4x4").hbm_bytes / 2**30
    15.75
    """
    found = _TOPOLOGY.fullmatch(topology)
    if found is None or found.group(1) not in CHIPS:
        raise InputError(
            f"a topology must look like v5e:4x4, with one of {', '.join(CHIPS)}, got {topology!r}"
        )
    name, sides = found.group(1), [int(side) for side in found.group(2).split("x")]
    if not _exists(sides, _LARGEST[name]):
        largest = "x".join(map(str, _LARGEST[name]))
        raise InputError(f"a slice of {name} is a box of at most {largest} chips, got {topology!r}")
    return CHIPS[name]


def _exists(sides: list[int], largest: tuple[int, ...]) -> bool:
    """Whether a slice with these sides can exist.

    Cubes of v5p are joined by optical switches, so a slice may be longer than the largest one along
    an axis; slices of other chips are parts of one square.
    """
    if len(sides) != len(largest) or not 1 <= math.prod(sides) <= math.prod(largest):
        return False
    return len(sides) == 3 or max(sides) <= max(largest)


def describe(topology: str) -> list[Any]:
    """The devices of a topology that need not be present, to compile for.

    **Raises:** `InputError` if libtpu is missing or does not know the topology.
    """
    chip_of(topology)
    if importlib.util.find_spec("libtpu") is None:
        raise InputError("planning for a TPU needs its compiler: pip install 'jaxgap[tpu]'")
    # No TPU metadata is queried, and several processes may plan at once.
    for name, value in {
        "TPU_SKIP_MDS_QUERY": "1",
        "ALLOW_MULTIPLE_LIBTPU_LOAD": "1",
        "TPU_WORKER_HOSTNAMES": "localhost",
        "TPU_HOST_BOUNDS": "1,1,1",  # of this host, else looked up with log messages
    }.items():
        os.environ.setdefault(name, value)
    import jax
    from jax.experimental import topologies

    handler = signal.getsignal(signal.SIGTERM)
    try:
        return list(topologies.get_topology_desc(topology, "tpu").devices)
    except (jax.errors.JaxRuntimeError, ValueError, NotImplementedError) as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"{topology}: the compiler knows no such topology ({reason})") from error
    finally:
        # libtpu's own prints a stack trace. Only the main thread may replace it, and Python cannot
        # put back one that it did not set.
        if handler is not None and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, handler)
