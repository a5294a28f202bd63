"""The ring of keys and values."""

import os
import platform
import subprocess
import sys

import pytest

_GROW = """
from pathlib import Path

import jax, jax.numpy as jnp

from jaxgap.sampling.ring import Ring, rearranged_ring


def status(name):
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * int(next(line for line in lines if line.startswith(name)).split()[1])


def ring(num_layers):
    keys = tuple(jnp.ones((16, 4, 64, 64)) for _ in range(num_layers))
    values = tuple(jnp.ones((16, 4, 64, 64)) for _ in range(num_layers))
    return jax.block_until_ready(Ring(keys, values, jnp.int32(3)))


rearranged_ring(ring(1), None, 128)  # to compile
small = ring(64)
before = status("VmRSS")
Path("/proc/self/clear_refs").write_text("5")
large = rearranged_ring(small, None, 128)
assert large.keys[0].nbytes == 2 * 2**20
print(status("VmHWM") - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library than glibc")
def test_a_ring_that_grows_leaves_nothing_behind():
    # Buffers on the heap, as those of long runs are, once larger ones have been freed.
    environment = os.environ | {"MALLOC_MMAP_THRESHOLD_": "33554432"}
    command = [sys.executable, "-c", _GROW]
    printed = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    # 128 MB become 256. What is given up and not given back would be 128 more.
    assert 100e6 < int(printed.stdout) < 170e6
