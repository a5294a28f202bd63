"""What is freed goes back to the system."""

import platform
from pathlib import Path

import pytest

from jaxgap.sampling.freed_memory import release_freed_memory


def _resident_bytes() -> int:
    status = Path("/proc/self/status").read_text().splitlines()
    return 1024 * int(next(line for line in status if line.startswith("VmRSS")).split()[1])


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library than glibc")
def test_freed_pages_are_the_systems_again():
    # Of 64 MB in small pieces the last one stays, and with it all that lies below it.
    pieces = [bytes(4_000) for _ in range(16_000)]
    last = pieces.pop()
    pieces.clear()
    before = _resident_bytes()
    release_freed_memory()
    assert before - _resident_bytes() > 32e6
    assert len(last) == 4_000
