"""The TPUs that can be planned for, and what one chip of each has.

Rates are those of Google's pages (cloud.google.com/tpu/docs/v5e, /v5p, /v6e): peak rates, which no
program reaches. Rates of links that are given for both directions together are halved. Memory is
what the compiler lets a program have, a little less than there is. A v4 is left out: its compiler
describes two devices a chip, of which JAX makes one where it runs.
"""

from __future__ import annotations

import importlib.util
import math
import os
import re
from typing import Any, NamedTuple

from jaxgap.errors import InputError

_GIB = 2**30


class Chip(NamedTuple):
    """One chip, which is one device to a program.

    **Fields:**

    - `name`: as in a topology, `v5e`.
    - `hbm_bytes`: memory that a program may have.
    - `flops`: bf16 operations a second.
    - `hbm_rate`: bytes a second between memory and core.
    - `link_rate`: bytes a second over all links to other chips, one way.
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
"""The largest slice of each. The compiler describes larger ones, and boxes of other dimensions."""


def chip_of(topology: str) -> Chip:
    """The chip of a topology such as `v5e:4x4`.

    **Raises:** `InputError` if it is none that is known, or there is no such slice.

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
    """Whether a slice of these sides may exist.

    A v5p's cubes are joined by switches, to boxes longer than the largest; the others lie in one
    square.
    """
    if len(sides) != len(largest) or not 1 <= math.prod(sides) <= math.prod(largest):
        return False
    return len(sides) == 3 or max(sides) <= max(largest)


def describe(topology: str) -> list[Any]:
    """The devices of a topology that is not there, to compile for.

    **Raises:** `InputError` if libtpu is missing or knows no such topology.
    """
    chip_of(topology)
    if importlib.util.find_spec("libtpu") is None:
        raise InputError("planning for a TPU needs its compiler: pip install 'jaxgap[tpu]'")
    # Nobody is asked for a TPU, and several processes may plan at once.
    for name, value in {
        "TPU_SKIP_MDS_QUERY": "1",
        "ALLOW_MULTIPLE_LIBTPU_LOAD": "1",
        "TPU_WORKER_HOSTNAMES": "localhost",
        "TPU_HOST_BOUNDS": "1,1,1",  # of this host, for which it otherwise looks aloud
    }.items():
        os.environ.setdefault(name, value)
    import jax
    from jax.experimental import topologies

    try:
        return list(topologies.get_topology_desc(topology, "tpu").devices)
    except (jax.errors.JaxRuntimeError, ValueError, NotImplementedError) as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"{topology}: the compiler knows no such topology ({reason})") from error
