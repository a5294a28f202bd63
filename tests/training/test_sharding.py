"""The step gives the same numbers when its arrays are spread over devices."""

import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
def test_loss_and_gradients_are_the_same_on_four_devices():
    script = Path(__file__).with_name("sharded_step.py")
    devices = {"XLA_FLAGS": "--xla_force_host_platform_device_count=4"}
    subprocess.run([sys.executable, str(script)], env=os.environ | devices, check=True)
