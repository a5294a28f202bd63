"""`jaxgap compare` as a user meets it: a folder of seeds, exports of several runs, a bad file."""

import dataclasses
import io
import json
from pathlib import Path

import numpy as np
import pytest

from jaxgap.cli.compare_table import print_comparison
from jaxgap.cli.main import run_command
from jaxgap.cli.terminal import Terminal
from jaxgap.fitting import LevenbergMarquardt, LinearLaw, fit
from jaxgap.trajectory.collection import read_runs
from jaxgap.workflows.compare import compare_runs, draw_comparison

SEEDS = Path(__file__).parents[2] / "experiments" / "results" / "seeds"


def strict(path):
    def refuse(name):
        raise AssertionError(f"{name} in JSON")

    return json.loads(path.read_text(), parse_constant=refuse)


@pytest.fixture
def folder(tmp_path):
    """Three seeds of one experiment and a run of its own."""
    ts = np.arange(13.0)
    for index, name in enumerate(["lr_seed0", "lr_seed1", "lr_seed2", "other"]):
        rng = np.random.default_rng(index)
        limit = 0.7 + 0.03 * rng.normal()
        values = limit - 0.4 * np.exp(-0.3 * ts) + rng.normal(0, 0.01, 13)
        rows = "".join(f"{t},{value}\n" for t, value in zip(ts, values, strict=True))
        (tmp_path / f"{name}.csv").write_text("t,solver\n" + rows)
    return tmp_path


def test_a_folder_gives_a_table_a_picture_and_the_pooled_limit(folder, tmp_path, capsys):
    out, plot = tmp_path / "out.json", tmp_path / "out.png"
    argv = ["compare", str(folder), "--kind", "accuracy", "--json", str(out), "--plot", str(plot)]
    run_command(argv)
    said = capsys.readouterr().out
    assert "4 runs, linear law" in said
    assert "lr: 3 seeds pooled" in said
    assert "Seeds were grouped by their names" in said
    found = strict(out)
    assert [run["run"] for run in found["runs"]] == ["lr_seed0", "lr_seed1", "lr_seed2", "other"]
    assert [run["group"] for run in found["runs"]] == ["lr", "lr", "lr", None]
    (group,) = found["groups"]
    low, high = group["limit"]["next_run"]["interval"]
    assert low < 0.7 < high
    assert group["limit"]["mean"]["interval"][0] > low
    assert set(group["limit"]["runs"]) == set(group["runs"])
    assert group["ratio"]["mean"] is None
    assert "0 of 3 runs bound it on both sides" in group["ratio"]["reason"]
    no_verifier = "the trajectory has no verifier"
    assert group["ratio"]["left_out"] == dict.fromkeys(group["runs"], no_verifier)
    assert (group["limit"]["failed"], group["limit"]["left_out"]) == ({}, {})
    assert plot.read_bytes().startswith(b"\x89PNG")


def test_bad_files_are_named_the_rest_goes_on_and_the_status_is_2(folder, tmp_path, capsys):
    (folder / "bad.csv").write_text("t,solver\n0,0.1\n1,x\n2,0.3\n")
    (folder / "foreign.csv").write_text("step,acc\n0,0.1\n1,0.2\n2,0.3\n")
    out = tmp_path / "out.json"
    with pytest.raises(SystemExit, match="2"):
        run_command(["compare", str(folder), "--kind", "accuracy", "--json", str(out)])
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1
    assert "bad.csv:3: column 'solver': must be a number, got 'x'" in captured.err
    assert "Could not be read" in captured.out
    found = strict(out)
    assert len(found["runs"]) == 4
    bad, foreign = found["unreadable"]
    assert bad["file"].endswith("bad.csv")
    # The options are those of the command, in the JSON too.
    assert foreign["problem"].endswith("say which is which by --columns t=NAME,solver=NAME")


def test_a_pattern_says_which_runs_belong_together(folder, tmp_path):
    out = tmp_path / "out.json"
    argv = ["compare", str(folder), "--kind", "accuracy", "--group", "^(lr|other)"]
    run_command([*argv, "--json", str(out)])
    assert [run["group"] for run in strict(out)["runs"]] == ["lr", "lr", "lr", None]
    run_command([*argv[:-1], "r", "--json", str(out)])
    found = strict(out)
    assert found["grouped_by"] == "pattern"
    assert [group["name"] for group in found["groups"]] == ["r"]
    assert len(found["groups"][0]["runs"]) == 4


def test_what_was_done_to_a_file_is_said(tmp_path, capsys):
    rows = "".join(f"a,{t},{50 - 40 * 0.7**t}\nb,{t},{60 - 40 * 0.7**t}\n" for t in range(12))
    (tmp_path / "long.csv").write_text("run,step,acc\n" + rows + "a,15,50\na,20,50\na,15,49.9\n")
    argv = ["compare", str(tmp_path / "long.csv"), "--columns", "solver=acc", "--kind", "accuracy"]
    run_command(argv)
    said = " ".join(capsys.readouterr().out.split())
    assert "looks like percent and was divided by 100" in said
    assert "time steps back to 15" in said
    assert "times are irregular" in said


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["compare"], "name the files or folders"),
        (["compare", "{tmp}/none.csv"], "none.csv: no such file"),
        (["compare", "{tmp}/empty"], "there is no run in it"),
        (["compare", "{tmp}", "--level", "nan"], "level must lie between 0 and 1"),
        (["compare", "{tmp}", "--group", "("], "--group must be a regular expression, got '('"),
        (["compare", "{tmp}", "--group", "zzz"], "--group must match the name of a run, got 'zzz'"),
        (["compare", "{tmp}", "--json", "{tmp}"], "is a folder"),
    ],
)
def test_a_mistake_gets_one_line_and_status_2(argv, said, folder, tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    with pytest.raises(SystemExit, match="2"):
        run_command([part.format(tmp=tmp_path) for part in argv])
    line = capsys.readouterr().err
    assert line.count("\n") == 1
    assert said in line


@pytest.mark.parametrize("name", ["other.csv", "other.csv.json", "lines.jsonl", "bad.csv"])
def test_nothing_that_is_compared_is_replaced(name, folder, capsys):
    (folder / "lines.jsonl").write_text("".join(f'{{"t": {t}, "solver": 0.5}}\n' for t in range(4)))
    (folder / "bad.csv").write_text("t,solver\n0,x\n")
    before = {path: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(SystemExit, match="2"):
        run_command(["compare", str(folder), "--kind", "accuracy", "--json", str(folder / name)])
    assert f"{name}: is one of the files read" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


@pytest.mark.slow
def test_the_recorded_seeds_of_three_presets_are_pooled(tmp_path, capsys):
    out = tmp_path / "out.json"
    run_command(["compare", str(SEEDS), "--json", str(out)])
    groups = {group["name"]: group for group in strict(out)["groups"]}
    assert list(groups) == ["demo", "random", "weak"]
    assert all(len(group["runs"]) == 5 for group in groups.values())
    limits = {name: group["limit"]["mean"]["estimate"] for name, group in groups.items()}
    assert limits["random"] < limits["weak"]
    # No seed of the weak verifier bounds its ratio, which the table has to say.
    assert groups["weak"]["ratio"]["mean"] is None
    assert "of 5 runs bound it on both sides" in capsys.readouterr().out


def test_a_remark_that_several_runs_share_says_what_holds_for_all_of_them(tmp_path, capsys):
    """Each run's own change is in its JSON; the one line below the table has their range."""
    ts, noise = np.arange(24.0), 0.003 * np.random.default_rng(0).standard_normal(24)
    for name, at in (("early", 7), ("late", 16)):
        values = 0.5 - 0.3 * np.exp(-0.5 * ts) + np.where(ts >= at, 0.2, 0.0) + noise
        rows = "".join(f"{t},{value}\n" for t, value in zip(ts, values, strict=True))
        (tmp_path / f"{name}.csv").write_text("t,solver\n" + rows)
    out = tmp_path / "out.json"
    run_command(["compare", str(tmp_path), "--kind", "accuracy", "--json", str(out)])
    said = " ".join(capsys.readouterr().out.split())
    findings = [run["diagnostics"]["one_regime"]["finding"] for run in strict(out)["runs"]]
    early, late = (int(finding.split("about epoch ")[1].partition(":")[0]) for finding in findings)
    assert early < 12 < late
    assert f"the run changes about epoch {early}–{late} (details in the JSON)" in said


def write_creeping(path):
    """A run that goes on slowly beyond where the law has its limit."""
    ts = np.arange(40.0)
    noise = 0.004 * np.random.default_rng(0).standard_normal(40)
    values = 1 - (1 + 2 * ts) ** -0.35 + noise
    rows = "".join(f"{t},{value}\n" for t, value in zip(ts, values, strict=True))
    path.write_text("t,solver\n" + rows)


def test_a_seed_that_is_beyond_its_limit_withholds_the_limit_of_its_experiment(
    folder, tmp_path, capsys
):
    """Without it the mean would be that of the seeds which agree with the law."""
    write_creeping(folder / "lr_seed3.csv")
    out = tmp_path / "out.json"
    run_command(["compare", str(folder), "--kind", "accuracy", "--json", str(out)])
    said = " ".join(capsys.readouterr().out.split())
    (group,) = strict(out)["groups"]
    limit, rate = group["limit"], group["rate"]
    assert (limit["mean"], limit["spread"], limit["next_run"], limit["runs"]) == (None,) * 3 + ({},)
    assert list(limit["failed"]) == ["lr_seed3"]
    assert "already beyond the law's limit" in limit["failed"]["lr_seed3"]
    assert "withheld, as the law fails for 1 of 4 runs: lr_seed3: the solver is already" in said
    assert "Limits, each informed by the other seeds" not in said
    assert set(rate["runs"]) == set(group["runs"])


def test_a_seed_without_noise_to_judge_by_is_named_where_it_has_no_say(folder, tmp_path, capsys):
    """Three rows are as many as the law has parameters."""
    (folder / "lr_seed3.csv").write_text("t,solver\n0,0.3\n1,0.5\n2,0.55\n")
    out = tmp_path / "out.json"
    run_command(["compare", str(folder), "--kind", "accuracy", "--json", str(out)])
    said = " ".join(capsys.readouterr().out.split())
    (group,) = strict(out)["groups"]
    assert list(group["limit"]["left_out"]) == ["lr_seed3"]
    assert set(group["limit"]["runs"]) == {"lr_seed0", "lr_seed1", "lr_seed2"}
    assert "limit: from 3 of 4 runs, without lr_seed3: too few measurements" in said


def test_seeds_that_the_theory_does_not_describe_are_named_below_what_they_are_pooled_in(
    tmp_path, capsys
):
    out = tmp_path / "out.json"
    seeds = [str(path) for path in sorted(SEEDS.glob("demo_seed*.csv"))]
    run_command(["compare", *seeds, "--json", str(out)])
    said = " ".join(capsys.readouterr().out.split())
    found = strict(out)
    verdicts = {run["run"]: run["diagnostics"]["verdict"] for run in found["runs"]}
    assert len(found["groups"]) == 1
    for group in found["groups"]:
        astray = [run for run in group["runs"] if verdicts[run] is not None]
        assert group["not_described"] == astray
        assert f"does not describe {len(astray)} of these 5 runs" in said


def test_the_table_the_json_and_the_picture_reject_the_same_runs():
    """The fourth seed has no verdict of the theory's tests, but the law explains little of it."""
    found = compare_runs(read_runs([SEEDS / f"weak_seed{i}.csv" for i in (3, 4)]), LinearLaw())
    assert [run.result.diagnosis.verdict is None for run in found.runs] == [False, True]
    (group,) = found.to_dict()["groups"]
    assert group["not_described"] == ["weak_seed3", "weak_seed4"]
    _, limits = draw_comparison(found).axes
    labels = [label.get_text() for label in limits.get_yticklabels()]
    assert [label for label in labels if "†" in label] == ["weak_seed3 †", "weak_seed4 †"]
    output = io.StringIO()
    print_comparison(Terminal(file=output, width=200), found)
    said = " ".join(output.getvalue().split())
    assert ": the linear law does not describe this run (R² solver 0.45, verifier -0.83)" in said
    assert "the law does not describe 2 of these 2 runs" in said


def test_a_fit_that_failed_has_no_limit_in_the_table_nor_in_the_picture(folder):
    found = compare_runs(read_runs([folder], kind="accuracy"), LinearLaw())
    first, *others = found.runs
    result = fit(LinearLaw(), first.source.run, minimiser=LevenbergMarquardt(max_steps=2))
    failed = dataclasses.replace(found, runs=(dataclasses.replace(first, result=result), *others))
    output = io.StringIO()
    print_comparison(Terminal(file=output, width=120), failed)
    (line,) = (each for each in output.getvalue().splitlines() if each.startswith(" lr_seed0"))
    assert "not fitted" in line
    assert "[" not in line
    _, limits = draw_comparison(failed).axes
    assert [text.get_text() for text in limits.texts] == ["withheld"]
