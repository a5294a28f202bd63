"""Commands in processes of their own, each with simulated devices."""

import os
import subprocess
import sys
from pathlib import Path

import pytest


def with_devices(num_devices):
    """The environment of a process that sees so many devices."""
    return os.environ | {"XLA_FLAGS": f"--xla_force_host_platform_device_count={num_devices}"}


@pytest.fixture(scope="session")
def run_script():
    """Run a script beside this file on eight devices; what it prints."""

    def run(name, *arguments):
        program = [sys.executable, str(Path(__file__).with_name(name)), *arguments]
        done = subprocess.run(
            program, env=with_devices(8), check=True, stdout=subprocess.PIPE, text=True
        )
        return done.stdout

    return run


@pytest.fixture(scope="session")
def jaxgap():
    """Run a command on so many devices, which has to end well."""

    def run(num_devices, *arguments):
        program = [sys.executable, "-m", "jaxgap", *map(str, arguments)]
        done = subprocess.run(
            program, env=with_devices(num_devices), capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr

    return run
