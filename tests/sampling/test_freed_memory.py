"""What is freed goes back to the system."""

import platform
import subprocess
import sys

import pytest

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
