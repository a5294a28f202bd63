"""Commands that fit look for no accelerator."""

import subprocess
import sys

import numpy as np
import pytest

from jaxgap.trajectory import Trajectory, write_csv


@pytest.fixture
def run_file(tmp_path):
    ts = np.arange(8.0)
    run = Trajectory(ts, 1 + 3 * np.exp(-0.4 * ts), 0.8 + 1.2 * np.exp(-0.4 * ts))
    write_csv(run, tmp_path / "run.csv")
    return str(tmp_path / "run.csv")


def test_accelerators_that_are_asked_for_are_not_looked_for(with_devices):
    program = (
        "import jax\n"
        "from jaxgap.cli.host_platform import leave_accelerators_alone\n"
        "leave_accelerators_alone()\n"
        "print({device.platform for device in jax.devices()})\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program],
        env=with_devices(1) | {"JAX_PLATFORMS": "cuda"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ended.stdout == "{'cpu'}\n"


@pytest.mark.slow
def test_a_command_fits_where_there_is_no_accelerator_to_be_had(run_file, with_devices):
    ended = subprocess.run(
        [sys.executable, "-m", "jaxgap", "fit", run_file],
        env=with_devices(1) | {"JAX_PLATFORMS": "cuda"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert "The solver's limit is" in ended.stdout
