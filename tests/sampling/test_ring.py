"""The ring of keys and values."""

import os
import platform
import subprocess
import sys

import jax.numpy as jnp
import numpy as np
import pytest

from jaxgap.sampling.ring import init_ring, rearranged_ring, ring_shapes

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
    # 128 MB become 256. What is freed and not returned would be 128 more.
    assert 100e6 < int(printed.stdout) < 170e6


@pytest.mark.parametrize(("num_slots", "grown_slots"), [(8, 12), (64, 128), (96, 192)])
def test_the_ring_keeps_its_steps_as_it_grows(tiny_model, num_slots, grown_slots):
    ring = init_ring(ring_shapes(tiny_model.config, 2, num_slots, jnp.float32))
    number = jnp.arange(2 * 2 * 8.0).reshape(2, 2, 1, 8) / 100  # of rows, heads and dimensions
    num_steps = num_slots + 3
    for step in range(num_steps):
        ring = ring._replace(step=ring.step + 1)
        for layer in range(tiny_model.config.num_layers):
            ring = ring.written(layer, step + number, -step - number)
    grown = rearranged_ring(ring, np.array([1, 0, 1]), grown_slots)
    assert grown.num_slots == grown_slots
    keys = np.moveaxis(grown.keys[0], -2, 2).reshape(3, 2, 8, grown_slots)
    # The latest steps lie where a ring of more slots has them.
    for step in range(3, num_steps):
        expected = (step + number)[jnp.array([1, 0, 1]), :, 0]
        np.testing.assert_array_equal(grown.values[1][:, :, step % grown_slots], -expected)
        np.testing.assert_array_equal(keys[..., step % grown_slots], expected)
