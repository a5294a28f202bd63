"""Fits beside a model run on the host."""

import subprocess
import sys

import jax

from jaxgap.workflows.host_device import on_host

# Of two devices the fit would take both.
ON_WHICH_DEVICES = """
import sys
import jax
from jaxgap.fitting import LinearLaw, batches, fit
from jaxgap.trajectory import read_csv
from jaxgap.workflows.host_device import on_host
devices, core = set(), batches._on_all_devices
def watched(*arguments):
    raw = core(*arguments)
    devices.update(*(leaf.devices() for leaf in jax.tree.leaves(raw)))
    return raw
batches._on_all_devices = watched
with on_host():
    fit(LinearLaw(), read_csv(sys.argv[1]))
print(sorted(device.id for device in devices))
"""


def test_a_fit_takes_one_device_of_the_host(exact_run_file, with_devices):
    ended = subprocess.run(
        [sys.executable, "-c", ON_WHICH_DEVICES, exact_run_file],
        env=with_devices(2),
        capture_output=True,
        text=True,
        check=True,
    )
    assert ended.stdout == "[0]\n"


def test_where_the_host_is_not_to_be_had_the_accelerator_does(monkeypatch):
    def none(backend):
        raise RuntimeError(f"Unknown backend {backend}")

    monkeypatch.setattr("jax.local_devices", none)
    with on_host():
        assert jax.config.jax_default_device is None
