"""The step gives the same numbers when its arrays are spread over devices."""

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
def test_loss_and_gradients_are_the_same_on_four_devices(with_devices):
    script = Path(__file__).with_name("sharded_step.py")
    subprocess.run([sys.executable, str(script)], env=with_devices(4), check=True)
