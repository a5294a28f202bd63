"""What is freed goes back to the system."""

import platform
import subprocess
import sys
from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
import pytest

from jaxgap.sampling import freed_memory

# In a process of its own: one that has run tests for long has holes enough for all the pieces.
RELEASED = """
from pathlib import Path
from jaxgap.sampling.freed_memory import release_freed_memory

def resident_bytes():
    status = Path("/proc/self/status").read_text().splitlines()
    return 1024 * int(next(line for line in status if line.startswith("VmRSS")).split()[1])

# Of 64 MB in small pieces the last one stays, and with it all that lies below it.
pieces = [bytes(4_000) for _ in range(16_000)]
last = pieces.pop()
pieces.clear()
before = resident_bytes()
release_freed_memory()
print(before - resident_bytes())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library than glibc")
def test_freed_pages_are_the_systems_again():
    found = subprocess.run(
        [sys.executable, "-c", RELEASED], capture_output=True, text=True, check=True
    )
    assert float(found.stdout) > 32e6


@dataclass(eq=False)
class Buffer:
    """What is asked of an array, on a device that need not be there."""

    platform: str
    nbytes: int

    def devices(self):
        return {self}

    def block_until_ready(self):
        return self

    def delete(self):
        self.platform = "deleted"


@pytest.mark.parametrize(
    ("platform_name", "nbytes", "num_releases"),
    [("cpu", 1 << 23, 1), ("cpu", 1 << 12, 0), ("gpu", 1 << 23, 0), ("tpu", 1 << 23, 0)],
)
def test_only_large_blocks_of_the_heap_are_returned(
    platform_name, nbytes, num_releases, monkeypatch
):
    releases = []
    monkeypatch.setattr(freed_memory, "release_freed_memory", lambda: releases.append(1))
    old, new = Buffer(platform_name, nbytes), Buffer(platform_name, 2 * nbytes)
    assert freed_memory.replace_buffer(old, new) is new
    assert old.platform == "deleted"
    assert len(releases) == num_releases


def test_an_array_that_is_replaced_is_deleted():
    old, new = jnp.zeros(1 << 19), jnp.ones(1 << 20)
    np.testing.assert_array_equal(freed_memory.replace_buffer(old, new), np.ones(1 << 20))
    assert old.is_deleted()
