"""What is said of a run that was read before what follows from it."""

import numpy as np
import pytest

from jaxgap.cli.main import run_command
from jaxgap.trajectory import Trajectory
from jaxgap.trajectory.notes import reading_notes

RISING = 0.8 - 0.5 * np.exp(-0.3 * np.arange(12.0))


@pytest.mark.parametrize("scale", [1.0, 100.0])
def test_rising_values_in_the_range_of_accuracies_are_asked_about(scale):
    (note,) = reading_notes(Trajectory(np.arange(12.0), scale * RISING))
    assert "if these are accuracies, give --kind accuracy" in note
    assert ("divide them by 100" in note) == (scale == 100)


@pytest.mark.parametrize(
    "run",
    [
        Trajectory(np.arange(12.0), RISING, kind="accuracy"),
        Trajectory(np.arange(12.0), 1 - RISING),
        Trajectory(np.arange(12.0), np.full(12, 0.5)),
        Trajectory(np.arange(12.0), 1000 * RISING),
    ],
    ids=["said", "falling", "constant", "no accuracies"],
)
def test_others_are_not(run):
    assert reading_notes(run) == []


@pytest.mark.parametrize("command", [["fit"], ["forecast", "--horizon", "15"], ["compare"]])
def test_every_command_that_reads_a_run_says_so(tmp_path, capsys, command):
    rows = "".join(f"{t},{value}\n" for t, value in enumerate(RISING))
    (tmp_path / "run.csv").write_text("t,solver\n" + rows)
    run_command([command[0], str(tmp_path / "run.csv"), *command[1:]])
    said = " ".join(capsys.readouterr().out.split())
    assert "give --kind accuracy" in said
    assert ("(uncertainties in nats)" in said) == (command[0] == "fit")
