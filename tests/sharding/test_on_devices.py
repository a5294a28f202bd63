"""Eight simulated devices give one device's numbers, each with its part of the work and memory."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest


@pytest.fixture(scope="module")
def runs(with_devices):
    script = Path(__file__).with_name("on_devices.py")
    done = subprocess.run(
        [sys.executable, str(script)], env=with_devices(8), check=True, stdout=subprocess.PIPE
    )
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    return {tuple(row["shape"]): row for row in rows}


@pytest.mark.slow
@pytest.mark.parametrize("num_processes", [2, 4])
def test_so_are_those_of_several_processes(run_together, num_processes):
    said = run_together("on_devices.py", num_processes, 8 // num_processes)
    # What carries the exchanges writes there as well.
    *runs, alone = (json.loads(line) for line in said.splitlines() if line.startswith("{"))
    assert len(runs) == 3
    for run in runs:
        assert run["loss_error"] < 1e-5
        assert run["gradient_error"] < 1e-5
        assert run["logprob_error"] < 5e-4
        np.testing.assert_allclose(run["losses"], alone["losses"], rtol=1e-5)


@pytest.mark.slow
def test_the_numbers_are_those_of_one_device(runs):
    alone = runs.pop((1, 1, 1))
    assert len(runs) == 3
    for run in runs.values():
        assert run["loss_error"] < 1e-5
        assert run["gradient_error"] < 1e-5
        assert run["logprob_error"] < 5e-4
        np.testing.assert_allclose(run["losses"], alone["losses"], rtol=1e-5)
    runs[1, 1, 1] = alone


@pytest.mark.slow
def test_every_device_has_its_part_of_the_work_and_of_the_memory(runs):
    alone = runs[1, 1, 1]
    for (data, fsdp, tensor), run in runs.items():
        assert run["flops"] * data * fsdp * tensor == pytest.approx(alone["flops"], rel=1e-6)
        # `data` holds copies. Norms are cut by fsdp only, and rows are a small part.
        assert run["argument_bytes"] * fsdp * tensor == pytest.approx(
            alone["argument_bytes"], rel=0.02
        )


@pytest.mark.slow
def test_the_exchanges_are_those_that_the_axes_are_for(runs):
    assert runs[1, 1, 1]["collectives"] == {}
    # Without fsdp no parameter is gathered; with it every layer's are.
    assert set(runs[4, 1, 2]["collectives"]) == {"all-reduce"}
    # Two microbatches, three layers, forward and backward, seven kernels a layer.
    assert runs[1, 8, 1]["collectives"]["all-gather"] >= 2 * 3 * 2 * 7
