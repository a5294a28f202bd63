"""The report of a run: made from files alone, it says what happened, and refuses what is none."""

import json
import re

import numpy as np
import pytest

from jaxgap.trajectory import Trajectory, TrajectoryError, read_csv, write_csv
from jaxgap.workflows.run_report import write_report


def write_run(folder, accuracy, verifier=True):
    ts = np.arange(16.0)
    rng = np.random.default_rng(0)
    decay = np.exp(-0.3 * ts)
    run = Trajectory(
        ts,
        0.5 + 2 * decay + rng.normal(0, 0.01, 16),
        0.3 + 0.8 * decay + rng.normal(0, 0.01, 16) if verifier else None,
        solver_se=np.full(16, 0.01),
        verifier_se=np.full(16, 0.01) if verifier else None,
        extra={"solver_accuracy": accuracy, "solver_accuracy_se": np.full(16, 0.01)},
        time_unit="round",
    )
    folder.mkdir()
    write_csv(run, folder / "trajectory.csv")
    return folder


def test_the_page_says_what_happened(tmp_path):
    folder = write_run(tmp_path / "good", np.linspace(0.4, 0.7, 16))
    (folder / "config.json").write_text(json.dumps({"seed": 7, "verifier": "<careful>"}))
    path, (run, result, known) = write_report(folder)
    text = path.read_text()
    assert path == folder / "report.html"
    assert result.limits["solver"].estimate == pytest.approx(0.5, abs=0.1)
    assert known.num_points == 8
    assert run.num_rows == 16
    assert "went from 40.0% to 70.0%" in text
    assert "less accurate" not in text
    assert "From the first 8 of 16 measurements" in text
    assert "&lt;careful&gt;" in text
    assert "the limits (dashed)" in text
    assert text.count("<svg") == 4
    assert "solver (nats), first to last checkpoint" in text
    assert "limit (nats), 90% interval [" in text
    assert "rate per round, 90% interval [" in text


def test_the_page_names_the_verifier_that_took_the_place_of_the_built_in_one(tmp_path):
    folder = write_run(tmp_path / "run", np.linspace(0.4, 0.7, 16))
    (folder / "config.json").write_text(json.dumps({"seed": 7, "verifier": "true-false"}))
    (folder / "own_parts.json").write_text(json.dumps({"verifier": "mine.Shortest"}))
    text = write_report(folder)[0].read_text()
    assert "mine.Shortest" in text
    assert "true-false" not in text


def test_the_page_lists_what_was_noted_while_it_ran(tmp_path):
    folder = write_run(tmp_path / "run", np.linspace(0.4, 0.7, 16))
    rows = [
        {"t": None, "note": "continues with jax 2, previously 1"},
        {"t": 2.0, "note": "for 56% of the prompts <no candidate> reaches it", "sign": "fallback"},
        {"t": 15.0, "note": "ended early: enough"},
        {"t": 15.0, "note": 3},
    ]
    lines = [*map(json.dumps, rows), "{damaged"]
    (folder / "notes.jsonl").write_text("\n".join(lines))
    text = write_report(folder)[0].read_text()
    (listed,) = re.findall(r'<h2>The run</h2>\n<ul class="warnings">(.*?)</ul>', text)
    assert re.findall("<li>(.*?)</li>", listed) == [
        "continues with jax 2, previously 1",
        "for 56% of the prompts &lt;no candidate&gt; reaches it (round 2)",
        "ended early: enough (round 15)",
    ]


def test_a_run_that_became_more_confident_and_less_accurate_is_called_so(tmp_path):
    path, _ = write_report(write_run(tmp_path / "bad", np.linspace(0.6, 0.3, 16)))
    assert "less accurate" in path.read_text()


def test_a_run_that_the_law_does_not_describe_is_called_so(tmp_path):
    folder = write_run(tmp_path / "odd", np.linspace(0.6, 0.3, 16))
    run = read_csv(folder / "trajectory.csv")
    write_csv(run.replace(verifier=1 + 0.5 * np.sin(run.ts)), folder / "trajectory.csv")
    path, _ = write_report(folder)
    text = path.read_text()
    assert "law does not describe this run" in text
    assert "], under a law that does not describe this run</span>" in text


def test_a_page_without_a_limit_speaks_of_none(tmp_path):
    folder = write_run(tmp_path / "straight", np.linspace(0.4, 0.7, 16))
    run = read_csv(folder / "trajectory.csv")
    straight = run.replace(solver=3 - 0.1 * run.ts, verifier=2 - 0.06 * run.ts)
    write_csv(straight, folder / "trajectory.csv")
    path, (_, result, _) = write_report(folder)
    assert {limit.estimate for limit in result.limits.values()} == {None}
    assert "the fitted law with its band. " in path.read_text()
    assert "the limits (dashed)" not in path.read_text()
    assert "on held-out prompts with standard errors, and" in path.read_text()
    write_csv(straight.replace(solver_se=None, verifier_se=None), folder / "trajectory.csv")
    assert "on held-out prompts, and" in write_report(folder)[0].read_text()


@pytest.mark.slow
def test_a_run_without_a_verifier_has_a_page_too(tmp_path):
    path, _ = write_report(write_run(tmp_path / "alone", np.linspace(0.4, 0.7, 16), False))
    text = path.read_text()
    assert "Does the theory hold?" not in text
    assert "the trajectory has no verifier" in text


def test_the_same_run_gives_the_same_bytes(tmp_path):
    folder = write_run(tmp_path / "run", np.linspace(0.4, 0.7, 16))
    first = write_report(folder)[0].read_bytes()
    assert write_report(folder)[0].read_bytes() == first


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("config.json", "[1]", "config.json: must be a JSON object"),
        ("own_parts.json", "[1]", "own_parts.json: must be a JSON object"),
        ("versions.json", "{", "versions.json: not valid JSON"),
        ("trajectory.csv", "t,solver\n0,1\n", "trajectory.csv: at least 3 rows"),
    ],
)
def test_a_damaged_folder_is_refused_and_gets_no_page(tmp_path, name, text, message):
    folder = write_run(tmp_path / "run", np.linspace(0.4, 0.7, 16))
    (folder / name).write_text(text)
    with pytest.raises(TrajectoryError, match=message):
        write_report(folder)
    assert not (folder / "report.html").exists()
