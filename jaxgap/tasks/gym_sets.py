"""Reasoning-gym's data sets, with their failures as one-line errors."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

from jaxgap.errors import InputError


def make_dataset(name: str, config: Mapping[str, Any], *, seed: int, size: int) -> Any:
    """One of reasoning-gym's data sets.

    **Raises:** `InputError` for an unknown set or parameter, or values that it rejects.
    """
    from reasoning_gym.factory import DATASETS, create_dataset

    if name not in DATASETS:
        raise InputError(f"reasoning-gym has no set {name!r}; it has {', '.join(sorted(DATASETS))}")
    fields = dataclasses.fields(DATASETS[name][1])
    known = {field.name for field in fields} - {"seed", "size"}
    unknown = sorted(set(config) - known)
    if unknown:
        raise InputError(
            f"reasoning-gym's set {name!r} has no parameter {unknown[0]!r}; it has "
            f"{', '.join(sorted(known))}"
        )
    with refusals(name, config):
        return create_dataset(name, **config, seed=seed, size=size)


@contextlib.contextmanager
def refusals(name: str, config: Mapping[str, Any]) -> Iterator[None]:
    """Convert failures of a data set to a one-line `InputError`.

    Its configurations validate themselves by assertions, fail on wrong types in many ways, and
    accept some values that fail only when a problem is drawn or scored.
    """
    try:
        yield
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputError(
            f"reasoning-gym's set {name!r} refuses its configuration {dict(config)}: {reason}"
        ) from error
