"""A small run, and commands in processes of their own, each with simulated devices."""

import dataclasses
import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from jaxgap.improve import ImproveConfig


def free_address():
    """Where processes may meet."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{free.getsockname()[1]}"


@pytest.fixture(scope="session")
def small():
    """The configuration of a run of seconds."""
    return ImproveConfig(
        num_rounds=1,
        num_train_prompts=16,
        num_held_out_prompts=9,
        num_candidates=4,
        batch_size=8,
        prompts_per_call=8,
        learning_rate=1e-3,
    )


@pytest.fixture(scope="session")
def options():
    """The command-line options of a configuration."""

    def of(config):
        default = ImproveConfig()
        return [
            part
            for name, value in dataclasses.asdict(config).items()
            if value != getattr(default, name)
            for part in (f"--{name.replace('_', '-')}", value)
        ]

    return of


@pytest.fixture(scope="session")
def rows():
    """What a RUN folder's checkpoints measured."""

    def of(folder):
        return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]

    return of


@pytest.fixture(scope="session")
def run_script(with_devices):
    """Run a script beside this file on eight devices; what it prints."""

    def run(name, *arguments):
        program = [sys.executable, str(Path(__file__).with_name(name)), *arguments]
        done = subprocess.run(
            program, env=with_devices(8), check=True, stdout=subprocess.PIPE, text=True
        )
        return done.stdout

    return run


@pytest.fixture(scope="session")
def run_together(with_devices):
    """Run a script beside this file in several processes; what the first of them prints."""

    def run(name, num_processes, num_devices):
        script = str(Path(__file__).with_name(name))
        address = free_address()
        processes = [
            subprocess.Popen(
                [sys.executable, script, address, str(num_processes), str(index)],
                env=with_devices(num_devices),
                stdout=subprocess.PIPE,
                text=True,
            )
            for index in range(num_processes)
        ]
        said = [process.communicate(timeout=600)[0] for process in processes]
        assert [process.returncode for process in processes] == [0] * num_processes
        return said[0]

    return run


@pytest.fixture
def start_script_together(with_devices):
    """Start a script beside this file in two processes, each with one device."""
    started = []

    def start(name, *arguments):
        script, address = str(Path(__file__).with_name(name)), free_address()
        started.extend(
            subprocess.Popen(
                [sys.executable, script, str(index), address, *map(str, arguments)],
                env=with_devices(1),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
            )
            for index in range(2)
        )
        return started

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture(scope="session")
def jaxgap(with_devices):
    """Run a command on so many devices, which has to end well."""

    def run(num_devices, *arguments):
        program = [sys.executable, "-m", "jaxgap", *map(str, arguments)]
        done = subprocess.run(
            program, env=with_devices(num_devices), capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr

    return run


@pytest.fixture
def start_together(with_devices):
    """Start a command in several processes, each with so many devices; one may be told more."""
    started = []

    def start(num_processes, num_devices, *arguments, last=()):
        address = free_address()
        # The first by its options, the others by their environment: both have to do.
        options = ["--coordinator", address, "--num-processes", num_processes, "--process-id", 0]
        names = {"JAX_COORDINATOR_ADDRESS": address, "JAX_NUM_PROCESSES": str(num_processes)}
        ours = []
        for index in range(num_processes):
            said = options if index == 0 else list(last) if index == num_processes - 1 else []
            told = {} if index == 0 else names | {"JAX_PROCESS_ID": str(index)}
            ours.append(
                subprocess.Popen(
                    [sys.executable, "-m", "jaxgap", *map(str, [*arguments, *said])],
                    env=with_devices(num_devices) | told,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.PIPE,
                    text=True,
                )
            )
        started.extend(ours)
        return ours

    yield start
    for process in started:
        process.kill()
        process.communicate()
