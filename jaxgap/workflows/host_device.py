"""Fitting on the host in a process whose accelerators run a model."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import jax


@contextlib.contextmanager
def on_host() -> Iterator[None]:
    """Compute on the host, which has float64 in hardware and leaves the model's memory alone.

    If `JAX_PLATFORMS` excludes the CPU, accelerators are used.
    """
    try:
        host = jax.local_devices(backend="cpu")[0]
    except RuntimeError:
        yield
        return
    with jax.default_device(host):
        yield
