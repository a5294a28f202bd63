"""The demo shows what it promises: a gain by the model's own judgement, and the failure."""

import dataclasses
import json

import pytest

from jaxgap.cli.main import run_command
from jaxgap.improve import improve_to_folder, presets
from jaxgap.trajectory import read_csv

SEED = 11  # none of the recorded seeds


def accuracy_gained(run):
    accuracy = run.extra["solver_accuracy"]
    return float(accuracy[-1] - accuracy[0])


@pytest.mark.slow
def test_its_own_verification_gains_ten_points_and_random_scores_do_not(tmp_path, capsys):
    out = tmp_path / "demo.json"
    options = ["--seed", str(SEED), "--out", str(tmp_path / "demo"), "--json", str(out)]
    run_command(["demo", *options])
    random = dataclasses.replace(presets.DEMO, verifier="random", seed=SEED)
    improve_to_folder(random, tmp_path / "random")
    own = read_csv(tmp_path / "demo" / "trajectory.csv")
    control = read_csv(tmp_path / "random" / "trajectory.csv")
    assert accuracy_gained(own) > 0.10
    assert accuracy_gained(own) > accuracy_gained(control) + 0.10
    assert own.solver[-1] < own.solver[0]
    assert "Accuracy at temperature 1 went from" in capsys.readouterr().out
    assert json.loads(out.read_text())["fit"]["num_points"] == own.num_rows


@pytest.mark.slow
def test_a_weak_verifier_makes_it_more_confident_and_less_accurate(tmp_path, capsys):
    folder = tmp_path / "weak"
    options = ["--preset", "weak-verifier", "--seed", str(SEED), "--out", str(folder)]
    run_command(["demo", *options])
    run = read_csv(folder / "trajectory.csv")
    assert accuracy_gained(run) < -0.10
    assert run.solver[-1] < run.solver[0]
    assert "more confident and less accurate" in " ".join(capsys.readouterr().out.split())
