"""`jaxgap schedule`: one table, strict JSON, a picture, and one line for a mistake."""

import io
import json

import numpy as np
import pytest

from jaxgap.cli.main import run_command
from jaxgap.cli.schedule_table import print_plan
from jaxgap.cli.terminal import Terminal
from jaxgap.fitting import LevenbergMarquardt, LinearLaw, fit
from jaxgap.trajectory import Trajectory, write_csv
from jaxgap.workflows.external_plan import plan_external_data

SOLVER_BEYOND = "the solver's limit is beyond perfect (no uncertainty, no errors)"


@pytest.fixture
def run_file(tmp_path):
    ts = np.arange(12.0)
    noise = np.random.default_rng(0).normal(0, 0.01, (2, 12))
    decay = np.exp(-0.4 * ts)
    write_csv(
        Trajectory(ts, 1 + 3 * decay + noise[0], 0.8 + 1.2 * decay + noise[1]),
        tmp_path / "run.csv",
    )
    (tmp_path / "solver.csv").write_text("t,solver\n0,4\n1,3\n2,2.4\n3,2\n4,1.8\n")
    return tmp_path / "run.csv"


def strict(text):
    def refuse(name):
        raise AssertionError(f"{name} in JSON")

    return json.loads(text, parse_constant=refuse)


def test_a_plan_is_printed_written_and_drawn(run_file, tmp_path, capsys):
    out, plot = tmp_path / "plan.json", tmp_path / "plan.png"
    argv = ["schedule", str(run_file), "--gamma", "0.2", "--gamma-range", "0.1", "20"]
    argv += ["--rounds", "0", "4", "8", "--eta", "0.5", "0", "0.5"]
    run_command([*argv, "--json", str(out), "--plot", str(plot)])
    said = capsys.readouterr().out
    for word in ("early", "uniform", "late", "given", "best", "some schedule"):
        assert word in said
    plan = strict(out.read_text())
    by_name = {row["schedule"]: row for row in plan["schedules"]}
    assert by_name["given"]["shares"] == [0.5, 0, 0.5]
    limits = {name: row["limit"]["estimate"] for name, row in by_name.items()}
    assert limits["best"] <= min(limits.values()) + 1e-9
    assert by_name["early"]["valid"] is True
    assert plan["over_gamma"][-1]["invalid"]["early"] == SOLVER_BEYOND
    assert plot.read_bytes().startswith(b"\x89PNG")


def plan_of(run_file, tmp_path, capsys, gamma):
    out = tmp_path / "plan.json"
    argv = ["schedule", str(run_file), "--gamma", gamma, "--rounds", "0", "4", "8"]
    run_command([*argv, "--json", str(out), "--plot", str(tmp_path / "plan.png")])
    return " ".join(capsys.readouterr().out.split()), strict(out.read_text())


def test_the_best_is_within_the_model_where_the_lowest_is_not(run_file, tmp_path, capsys):
    said, plan = plan_of(run_file, tmp_path, capsys, "0.6")
    assert "Best within the model: " in said
    assert "100% at epoch 0, where the solver's limit is beyond perfect (no uncertainty," in said
    by_name = {row["schedule"]: row for row in plan["schedules"]}
    assert by_name["early"]["limit"]["estimate"] is None
    assert by_name["early"]["improvement"]["estimate"] is None
    assert by_name["best"]["valid"] is True
    limits = [row["limit"]["estimate"] for row in by_name.values() if row["valid"]]
    assert 0 <= by_name["best"]["limit"]["estimate"] <= min(limits) + 1e-9
    assert plan["best"]["lowest_shares"] == [1, 0, 0]
    for at in plan["over_gamma"]:
        assert all((at["limits"][name] is None) == (name in at["invalid"]) for name in at["limits"])
        assert all(limit is None or limit >= 0 for limit in at["limits"].values())


def test_it_is_said_where_no_schedule_is_within_the_model(run_file, tmp_path, capsys):
    said, plan = plan_of(run_file, tmp_path, capsys, "50")
    assert "No schedule over these rounds stays within the model at gamma 50: " in said
    assert (
        "Limits by gamma, at 25: early not valid, late not valid, best not valid; at 100:" in said
    )
    assert "At the lowest gamma some schedule already leaves the model." in said
    assert "Beyond gamma" not in said
    assert (plan["best"]["shares"], plan["best"]["slack"]) == (None, None)
    assert all(row["limit"]["estimate"] is None for row in plan["schedules"])
    assert (tmp_path / "plan.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
def test_a_best_is_found_beside_a_valid_schedule(tmp_path, capsys):
    ts, noise = 0.5 * np.arange(12), 0.002 * np.random.default_rng(0).standard_normal((2, 12))
    decay = np.exp(-1.2 * ts)
    write_csv(
        Trajectory(ts, 0.25 + 0.75 * decay + noise[0], 0.2 + 0.3 * decay + noise[1]),
        tmp_path / "fast.csv",
    )
    out = tmp_path / "plan.json"
    argv = ["schedule", str(tmp_path / "fast.csv"), "--gamma", "1.6", "--json", str(out)]
    run_command([*argv, "--rounds", "0", "4", "5", "6", "--eta", "0", "0.5", "0.25", "0.25"])
    assert "Best within the model: " in " ".join(capsys.readouterr().out.split())
    by_name = {row["schedule"]: row for row in strict(out.read_text())["schedules"]}
    assert [name for name, row in by_name.items() if row["valid"]] == ["given", "best"]
    assert by_name["best"]["limit"]["estimate"] <= by_name["given"]["limit"]["estimate"]


def test_a_run_that_does_not_hold_its_limit_is_drawn_without_limits(tmp_path, capsys):
    ts, noise = np.arange(14.0), 0.02 * np.random.default_rng(0).standard_normal((2, 14))
    straight = Trajectory(ts, 3 - 0.1 * ts + noise[0], 2 - 0.05 * ts + noise[1])
    write_csv(straight, tmp_path / "straight.csv")
    said, plan = plan_of(tmp_path / "straight.csv", tmp_path, capsys, "0.2")
    assert "for the fitted curve alone, whose limit the data do not determine: " in said
    assert "Without external data" not in said
    assert " yes" not in said
    assert " no " not in said.partition("schedule ")[2].partition("The data")[0]
    assert plan["over_gamma"] is None
    for row in plan["schedules"]:
        assert (row["limit_by_gamma"], row["limit_by_shares"]) == (None, None)
    assert plan["without_external_data"]["estimate"] is None
    assert (tmp_path / "plan.png").read_bytes().startswith(b"\x89PNG")


def creeping_run():
    """A run that goes on slowly beyond where the law has its limit."""
    ts, noise = np.arange(40.0), 0.004 * np.random.default_rng(0).standard_normal((2, 40))
    slow = (1 + 2 * ts) ** -0.35
    return Trajectory(ts, 1 + slow + noise[0], 0.8 + 0.5 * slow + noise[1])


def test_nothing_is_planned_for_a_run_that_is_beyond_its_limit(tmp_path, capsys):
    write_csv(creeping_run(), tmp_path / "creeping.csv")
    said, plan = plan_of(tmp_path / "creeping.csv", tmp_path, capsys, "0.2")
    assert "Nothing can be planned from this fit: the solver is already beyond the law's" in said
    assert said.count("the solver is already beyond") == 1
    assert "Best" not in said
    assert plan["best"]["shares"] is None
    assert "already beyond" in plan["best"]["reason"]
    assert plan["over_gamma"] is None
    assert [row["schedule"] for row in plan["schedules"]] == ["early", "uniform", "late"]
    for row in plan["schedules"]:
        for name in ("limit", "improvement", "proposition_5_1"):
            assert (row[name]["estimate"], row[name]["interval"]) == (None, None)
        assert row["limit_by_gamma"] is None
        assert row["valid"] is None
    assert (tmp_path / "plan.png").read_bytes().startswith(b"\x89PNG")


def test_a_schedule_without_a_limit_is_neither_valid_nor_not(tmp_path, capsys):
    ts, noise = np.arange(6.0), np.random.default_rng(0).normal(0, 0.03, (2, 6))
    decay = np.exp(-0.15 * ts)
    run = Trajectory(ts, 1 + 3 * decay + noise[0], 0.8 + 2.4 * decay + noise[1])
    plan = plan_external_data(fit(LinearLaw(), run), 0.5, ts[:2])
    early = plan.outcomes[0]
    assert early.invalid == SOLVER_BEYOND
    assert plan.has_limit
    assert not early.is_determined
    print_plan(Terminal(), plan)
    said = capsys.readouterr().out
    row = next(line.split() for line in said.split("\n") if line.startswith(" early "))
    assert " ".join(row) == "early not determined – not determined – –"
    assert f"early: {early.limit.reason}" in " ".join(said.split())


def test_the_best_by_a_law_that_does_not_describe_the_run_is_called_so(tmp_path, capsys):
    """The verifier gains by the square of what is left to the solver, not in proportion."""
    ts, noise = np.arange(20.0), 0.004 * np.random.default_rng(0).standard_normal((2, 20))
    solver = 1 + 3 * np.exp(-0.3 * ts)
    verifier = 0.8 + 1.2 * np.exp(-0.3 * ts) ** 2
    write_csv(Trajectory(ts, solver + noise[0], verifier + noise[1]), tmp_path / "bent.csv")
    said, _ = plan_of(tmp_path / "bent.csv", tmp_path, capsys, "0.1")
    assert "Best under a law that does not describe this run: 100% at epoch 0" in said


@pytest.mark.slow
def test_nothing_is_planned_from_a_fit_that_failed():
    ts, decay = np.arange(12.0), np.exp(-0.4 * np.arange(12.0))
    run = Trajectory(ts, 1 + 3 * decay, 0.8 + 1.2 * decay)
    failed = fit(LinearLaw(), run, minimiser=LevenbergMarquardt(max_steps=2))
    plan = plan_external_data(failed, 0.2, np.array([0.0, 4.0]))
    assert not plan.has_limit
    assert plan.refusal.startswith("the fit stopped before a minimum")
    assert plan.to_dict()["without_external_data"]["estimate"] is None
    assert all(outcome.limit.estimate is None for outcome in plan.outcomes)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["{run}", "--gamma", "0"], "--gamma must be above 0"),
        (["{run}", "--gamma", "nan"], "--gamma must be above 0"),
        (["{run}"], "gamma"),
        (["{run}", "--gamma", "1", "--gamma-range", "2", "1"], "0 < LOW < HIGH"),
        (["{run}", "--gamma", "1", "--eta", "1"], "--eta needs --rounds"),
        (
            ["{run}", "--gamma", "1", "--rounds", "1", "2", "--eta", "1"],
            "--eta: there must be one share for each",
        ),
        (["{run}", "--gamma", "1", "--rounds", "2", "1"], "must be finite and increase"),
        (["{run}", "--gamma", "1", "--rounds", "-1", "1"], "before the run's first time 0"),
        (["{tmp}/solver.csv", "--gamma", "1"], "which this run lacks"),
        (["{tmp}/none.csv", "--gamma", "1"], "no such file"),
        (["{run}", "--gamma", "1", "--json", "{tmp}/no/x.json"], "there is no folder"),
    ],
)
def test_a_mistake_gets_one_line_and_status_2(options, said, run_file, tmp_path, capsys):
    with pytest.raises(SystemExit, match="2"):
        run_command(["schedule", *(each.format(run=run_file, tmp=tmp_path) for each in options)])
    line = capsys.readouterr().err
    assert line.count("\n") == 1
    assert said in line


def test_the_table_keeps_exponents_in_80_columns():
    ts = np.arange(12.0)
    noise = np.random.default_rng(0).normal(0, 0.01, (2, 12))
    decay = np.exp(-0.4 * ts)
    solver, verifier = 1 + 3 * decay + noise[0], 0.8 + 1.2 * decay + noise[1]
    result = fit(LinearLaw(), Trajectory(ts, 1e-9 * solver, 1e-9 * verifier))
    output = io.StringIO()
    print_plan(Terminal(file=output, width=80), plan_external_data(result, 0.1, ts))
    assert "e-10, " in output.getvalue()
    assert "…" not in output.getvalue()


def test_rounds_of_a_long_count_of_steps_are_told_apart(tmp_path, capsys):
    ts = 1_234_560 + 10 * np.arange(20.0)
    decay = np.exp(-0.03 * (ts - ts[0]))
    noise = 0.01 * np.random.default_rng(0).standard_normal((2, 20))
    path = tmp_path / "run.csv"
    write_csv(Trajectory(ts, 1 + 2 * decay + noise[0], 0.5 + decay + noise[1]), path)
    rounds = ["1234560", "1234565", "1234590"]
    run_command(["schedule", str(path), "--gamma", "0.2", "--rounds", *rounds])
    said = " ".join(capsys.readouterr().out.split())
    best = said[said.index("Best") :].split(". ")[0]
    assert "at epoch 1234560" in best
    assert "e+06" not in best
    with pytest.raises(SystemExit, match="2"):
        run_command(["schedule", str(path), "--gamma", "0.2", "--rounds", "1234559", "1234570"])
    assert "first time 1234560, got 1234559" in capsys.readouterr().err
