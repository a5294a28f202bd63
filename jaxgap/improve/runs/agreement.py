"""Whether all processes of a run work on the same.

What they compute together they compute as one, so that of processes with other problems or
settings nothing would be noticed but a wrong result, or that they wait for each other for ever.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np

from jaxgap.errors import InputError
from jaxgap.improve.config import ImproveConfig
from jaxgap.improve.runs.digests import json_digest
from jaxgap.sharding import all_agree, broadcast_from_first


def require_same(parts: Mapping[str, int]) -> None:
    """Refuse, in every process, what is not in all of them as it is in the first.

    **Arguments:**

    - `parts`: digests of what a process works on, below 2^32, by names that all of them share.

    **Raises:** `InputError` that names the first part that differs.
    """
    ours = np.array(list(parts.values()), np.uint32)
    same = ours == broadcast_from_first(ours)
    if all_agree(bool(same.all())):
        return
    # One after another, as each process has to learn of what differs in another.
    differing = next(n for n, s in zip(parts, same, strict=True) if not all_agree(bool(s)))
    raise InputError(
        f"not every process has what the first has: {differing}; start all of them with the same "
        "options, on the same files"
    )


def settings_of(config: ImproveConfig) -> dict[str, int]:
    """A digest of each setting."""
    fields = dataclasses.asdict(config)
    return {f"the setting {name}": json_digest(repr(value)) for name, value in fields.items()}
