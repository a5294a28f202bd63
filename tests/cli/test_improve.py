"""The loop from the command line: a RUN that reads, repeats, and survives Ctrl-C."""

import json
import random
import signal
import subprocess
import sys
import time

import pytest

from jaxgap.cli.main import run_command
from jaxgap.trajectory import read_csv

SIZES = {"rounds": 3, "train-prompts": 32, "held-out-prompts": 32, "candidates": 4}
SMALL = [f"--num-{name}={value}" for name, value in SIZES.items()] + ["--batch-size=32"]
# Timings are recorded times, the one thing that may differ between equal runs.
REPEATED = ("config.json", "metrics.jsonl", "trajectory.csv", "trajectory.csv.json")


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "first"
    run_command(["improve", "--out", str(folder), *SMALL])
    return folder


def test_a_run_holds_what_it_was_and_what_it_measured(run_folder):
    config = json.loads((run_folder / "config.json").read_text())
    versions = json.loads((run_folder / "versions.json").read_text())
    lines = (run_folder / "metrics.jsonl").read_text().splitlines()
    run = read_csv(run_folder / "trajectory.csv")
    assert config["num_rounds"] == 3
    assert {"jax", "flax", "python", "git_commit", "device", "seed"} <= set(versions)
    assert [json.loads(line)["t"] for line in lines] == run.ts.tolist() == [0, 1, 2, 3]
    assert {"solver_accuracy", "verifier_accuracy"} <= set(run.extra)
    assert run.solver_se is not None
    assert run.verifier_se is not None
    assert run.time_unit == "round"


@pytest.mark.slow  # as the folders of runs do that no command began
def test_the_same_seed_gives_the_same_bytes(run_folder, tmp_path):
    run_command(["improve", "--out", str(tmp_path / "second"), *SMALL])
    for name in REPEATED:
        assert (tmp_path / "second" / name).read_bytes() == (run_folder / name).read_bytes()


@pytest.mark.slow
def test_another_seed_gives_another_run(run_folder, tmp_path):
    run_command(["improve", "--out", str(tmp_path / "other"), *SMALL, "--seed", "1"])
    first = (run_folder / "metrics.jsonl").read_bytes()
    assert (tmp_path / "other" / "metrics.jsonl").read_bytes() != first


def test_a_run_is_fitted_and_reported_by_its_folder(run_folder, tmp_path, capsys):
    run_command(["fit", str(run_folder), "--json", str(tmp_path / "fit.json")])
    run_command(["report", str(run_folder)])
    assert json.loads((tmp_path / "fit.json").read_text())["num_points"] == 4
    assert "<svg" in (run_folder / "report.html").read_text()
    assert "report.html" in capsys.readouterr().out


@pytest.mark.slow
def test_ctrl_c_at_any_moment_leaves_a_readable_folder(tmp_path):
    moments = random.Random(0)
    for trial in range(20):
        folder = tmp_path / f"run{trial}"
        program = [sys.executable, "-m", "jaxgap", "improve", "--out", str(folder), *SMALL]
        process = subprocess.Popen(program, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL)
        time.sleep(moments.uniform(0.3, 15))
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=120)
        assert b"Traceback" not in said
        assert process.returncode in (0, 130, -signal.SIGINT)
        if (folder / "metrics.jsonl").exists():
            for line in (folder / "metrics.jsonl").read_text().splitlines():
                json.loads(line)
        if (folder / "trajectory.csv").exists():
            assert read_csv(folder / "trajectory.csv").num_rows >= 3


def test_an_interrupted_run_is_resumed_and_may_go_further(run_folder, tmp_path, capsys):
    folder = tmp_path / "run"
    run_command(["improve", "--out", str(folder), *SMALL[1:], "--num-rounds=1"])
    said = "".join(capsys.readouterr().out.split())
    further = ["improve", "--resume", str(folder), "--more-rounds"]
    # It has two checkpoints, of which no report can be made.
    assert not (folder / "trajectory.csv").exists()
    assert "Next:" not in said
    assert "".join(["jaxgap", *further, "1"]) in said
    run_command([*further, "2"])
    assert f"Next:jaxgapreport{folder}" in "".join(capsys.readouterr().out.split())
    for name in REPEATED:
        assert (folder / name).read_bytes() == (run_folder / name).read_bytes()


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ([], "name a new folder with --out, or an interrupted run with --resume"),
        (["--out", "a", "--resume", "b"], "give --out for a new run, or --resume"),
        (["--out", "a", "--more-rounds", "2"], "--more-rounds goes with --resume"),
        (["--resume", "a", "--seed", "3"], "the run's own settings are used"),
        (["--resume", "a", "--seed", "0"], "--coordinator, --num-processes and --process-id"),
        (["--resume", "a", "--num_rounds=12"], "the run's own settings are used"),
        (["--resume", "nowhere"], "contains no run to resume"),
        (["--out", "a", "--stop-when", "nan"], "--stop-when must be a gain in nats"),
    ],
)
def test_options_that_contradict_each_other_are_refused(
    tmp_path, monkeypatch, capsys, options, complaint
):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match="2"):
        run_command(["improve", *options])
    said = capsys.readouterr().err
    assert complaint in said
    assert said.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_advice_after_a_run_can_be_pasted(tmp_path, monkeypatch, capsys):
    folder = tmp_path / "my run"
    folder.mkdir()
    monkeypatch.setattr("jaxgap.improve.runs.kept_run.resume_folder", lambda *args, **settings: ())
    monkeypatch.setenv("COLUMNS", "500")
    for advice in (f"--resume '{folder}' --more-rounds 1\n", f"jaxgap report '{folder}'\n"):
        run_command(["improve", "--resume", str(folder)])
        assert capsys.readouterr().out.endswith(advice)
        (folder / "trajectory.csv").touch()


@pytest.mark.parametrize(("options", "mesh"), [([], None), (["--mesh", ""], ""), (["--mesh="], "")])
def test_a_run_resumes_on_one_device_if_asked_to(monkeypatch, options, mesh):
    def resume(folder, watcher, *, more_rounds, mesh):
        given.append(mesh)

    given = []
    monkeypatch.setattr("jaxgap.improve.runs.kept_run.resume_folder", resume)
    run_command(["improve", "--resume", "run", *options])
    assert given == [mesh]


@pytest.mark.slow
def test_sigterm_leaves_a_run_that_goes_on(run_folder, tmp_path):
    folder = tmp_path / "run"
    program = [sys.executable, "-m", "jaxgap", "improve", "--out", str(folder), *SMALL]
    process = subprocess.Popen(program, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL)
    while not (folder / "metrics.jsonl").exists():
        time.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=120)
    assert said.decode() == f"jaxgap: terminated; to continue: jaxgap improve --resume {folder}\n"
    assert process.returncode == 143
    run_command(["improve", "--resume", str(folder)])
    for name in REPEATED:
        assert (folder / name).read_bytes() == (run_folder / name).read_bytes()
