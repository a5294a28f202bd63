"""Fits in a process that runs a model: on the host, beside it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import jax


@contextlib.contextmanager
def on_host() -> Iterator[None]:
    """Compute on the host meanwhile, where float64 is in hardware and no model's memory is taken.

    Where JAX was told to know accelerators alone (`JAX_PLATFORMS`), these have to do.
    """
    try:
        host = jax.local_devices(backend="cpu")[0]
    except RuntimeError:
        yield
        return
    with jax.default_device(host):
        yield
