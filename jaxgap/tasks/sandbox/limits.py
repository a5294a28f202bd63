"""How much a session in a container may use."""

from __future__ import annotations

import dataclasses

MEBIBYTE = 2**20


@dataclasses.dataclass(frozen=True)
class Limits:
    """The limits on one session; it is killed when it exceeds one.

    Processes, files and disk need no limits: a session has one process, no files and no disk.

    **Raises:** `ValueError` naming a bound that is not positive.
    """

    wall_seconds: float = 10.0
    """Time from its first request to its last reply, including sleep, > 0."""
    cpu_seconds: int = 10
    """Processor time, in whole seconds, >= 1."""
    memory_mebibytes: int = 512
    """Address space beyond that of the container itself, >= 1."""
    reply_bytes: int = 4 * MEBIBYTE
    """The longest reply to one request, >= 1."""

    def __post_init__(self):
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            least = 0 if field.name == "wall_seconds" else 1
            if not (value > 0 and value >= least and value < float("inf")):
                raise ValueError(f"{field.name} must be positive and finite, got {value!r}")
