"""Commands that fit look for no accelerator."""

import subprocess
import sys

import pytest


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
def test_a_command_fits_where_there_is_no_accelerator_to_be_had(exact_run_file, with_devices):
    ended = subprocess.run(
        [sys.executable, "-m", "jaxgap", "fit", exact_run_file],
        env=with_devices(1) | {"JAX_PLATFORMS": "cuda"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert "The solver's limit is" in ended.stdout


@pytest.mark.slow
def test_the_log_of_xla_is_not_among_the_messages(exact_run_file, with_devices, tmp_path):
    environment = with_devices(1) | {"JAX_COMPILATION_CACHE_DIR": str(tmp_path)}
    environment.pop("TF_CPP_MIN_LOG_LEVEL", None)  # importing jax sets it
    ended = subprocess.run(
        [sys.executable, "-m", "jaxgap", "fit", exact_run_file, "--model", "auto"],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert ended.stderr == ""
