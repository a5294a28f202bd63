"""How much a session in a container may use."""

from __future__ import annotations

import dataclasses

MEBIBYTE = 2**20


@dataclasses.dataclass(frozen=True)
class Limits:
    """The bounds of one session, after which it is killed.

    There are no bounds on processes, files and disk to choose: a session has one process, no files
    and no disk.

    **Raises:** `ValueError` naming a bound that is not positive.
    """

    wall_seconds: float = 10.0
    """Time from its first request to its last reply, sleeping included, > 0."""
    cpu_seconds: int = 10
    """Processor time, in whole seconds, >= 1."""
    memory_mebibytes: int = 512
    """Address space beyond what the container itself has, >= 1."""
    reply_bytes: int = 4 * MEBIBYTE
    """The longest reply to one request, >= 1."""

    def __post_init__(self):
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            least = 0 if field.name == "wall_seconds" else 1
            if not (value > 0 and value >= least and value < float("inf")):
                raise ValueError(f"{field.name} must be positive and finite, got {value!r}")
