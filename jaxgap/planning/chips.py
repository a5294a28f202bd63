"""The TPUs that can be planned for, and what one chip of each has.

Rates are those of Google's pages (cloud.google.com/tpu/docs/v5e, /v5p, /v6e): peak rates, which no
program reaches. Rates of links that are given for both directions together are halved. Memory is
what the compiler lets a program have, a little less than there is. A v4 is left out: its compiler
describes two devices a chip, of which JAX makes one where it runs.
"""

from __future__ import annotations

import importlib.util
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
_TOPOLOGY = re.compile(r"(\w+):\d+x\d+(x\d+)?")


def chip_of(topology: str) -> Chip:
    """The chip of a topology such as `v5e:4x4`.

    **Raises:** `InputError` if it is none that is known.

    >>> chip_of("v5e:4x4").hbm_bytes / 2**30
    15.75
    """
    found = _TOPOLOGY.fullmatch(topology)
    if found is None or found.group(1) not in CHIPS:
        raise InputError(
            f"a topology must look like v5e:4x4, with one of {', '.join(CHIPS)}, got {topology!r}"
        )
    return CHIPS[found.group(1)]


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
    }.items():
        os.environ.setdefault(name, value)
    import jax
    from jax.experimental import topologies

    try:
        return list(topologies.get_topology_desc(topology, "tpu").devices)
    except (jax.errors.JaxRuntimeError, ValueError, NotImplementedError) as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"{topology}: the compiler knows no such topology ({reason})") from error
