"""Check that all processes of a run work on the same inputs.

The processes run one SPMD computation, so differing problems or settings would otherwise go
unnoticed until they gave wrong results or a deadlock.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np

from jaxgap.improve.config import ImproveConfig
from jaxgap.improve.runs.digests import json_digest
from jaxgap.sharding import InputErrorInAll, all_agree, broadcast_from_first


def require_same(parts: Mapping[str, int]) -> None:
    """Raise in every process if any of them differs from the first.

    **Arguments:**

    - `parts`: digests below 2^32 of what a process works on; all processes have the same keys.

    **Raises:** `InputErrorInAll` naming the first part that differs.
    """
    ours = np.array(list(parts.values()), np.uint32)
    same = ours == broadcast_from_first(ours)
    if all_agree(bool(same.all())):
        return
    # One by one, since each process has to learn what differs in another.
    differing = next(n for n, s in zip(parts, same, strict=True) if not all_agree(bool(s)))
    raise InputErrorInAll(
        f"not every process has what the first has: {differing}; start all of them with the same "
        "options, on the same files"
    )


def settings_of(config: ImproveConfig) -> dict[str, int]:
    """A digest of each setting."""
    fields = dataclasses.asdict(config)
    return {f"the setting {name}": json_digest(repr(value)) for name, value in fields.items()}
