"""The fault suite on real processes, with fewer faults than the recorded one."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

SUITE = Path(__file__).resolve().parents[2] / "experiments" / "fault_suite.py"


@pytest.mark.slow
def test_nothing_is_lost_whatever_is_done_to_a_run(tmp_path):
    out = tmp_path / "faults.json"
    subprocess.run([sys.executable, SUITE, "--num-kills", "10", "--json", str(out)], check=True)
    rows = json.loads(out.read_text())
    assert {row["fault"] for row in rows} >= {"SIGKILL", "SIGTERM", "SIGINT", "a second process"}
    for row in rows:
        assert row["the same in the end"] in (row["runs"], None), row
        assert row["tracebacks"] == 0, row
