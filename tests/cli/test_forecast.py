"""Forecasts and backtests from the command line: the public JSON, strict and complete."""

import json

import numpy as np
import pytest

from jaxgap.cli.main import run_command
from jaxgap.fitting.results.number_words import number
from jaxgap.trajectory import Trajectory, write_csv


def strict(path):
    def refuse(name):
        raise AssertionError(f"{name} in JSON")

    return json.loads(path.read_text(), parse_constant=refuse)


@pytest.fixture
def curve():
    ts = np.arange(20.0)
    noise = np.random.default_rng(0).normal(0, 0.01, 20)
    return Trajectory(ts, 0.8 - 0.5 * np.exp(-0.2 * ts) + noise, kind="accuracy")


def test_forecast_writes_the_public_json(curve, tmp_path, capsys):
    write_csv(curve, tmp_path / "run.csv")
    out = tmp_path / "forecast.json"
    run_command(["forecast", str(tmp_path / "run.csv"), "--horizon", "25", "--json", str(out)])
    result = strict(out)
    names = {"horizon", "level", "solver", "verifier", "gap", "rounds_left", "advice", "weights"}
    assert names <= set(result)
    low, high = result["solver"]["interval"]
    assert low < result["solver"]["median"] < high
    assert low < 0.8 < high
    assert result["verifier"] is result["gap"] is None
    assert "no verifier" in result["reason"]
    assert result["advice"] in ("stop", "continue", "cannot tell")
    assert sum(result["weights"].values()) == pytest.approx(1)
    assert result["advice"] in capsys.readouterr().out


def test_what_the_law_predicts_is_printed_where_nothing_speaks_against_it(tmp_path, capsys):
    ts = np.arange(12.0)
    noise = np.random.default_rng(0).normal(0, 0.02, 12)
    straight = 3 - 0.15 * ts
    for name, curve in {"law": 1 + 2 * np.exp(-0.3 * ts), "line": straight}.items():
        write_csv(Trajectory(ts, curve + noise), tmp_path / f"{name}.csv")
        run_command(["forecast", str(tmp_path / f"{name}.csv"), "--horizon", "20"])
    by_law, by_line = " ".join(capsys.readouterr().out.split()).split("At 20")[1:]
    assert "Under the linear law, against which nothing in these rows speaks: The" in by_law
    assert "Under this law the solver comes within" in by_law
    # It has no limit within reach, and so no time left to it.
    assert "Under the linear law" not in by_line
    assert "too few to test" not in by_law + by_line


def test_epsilon_is_that_of_the_forecast_and_of_the_law(tmp_path, capsys):
    ts = np.arange(12.0)
    noise = np.random.default_rng(0).normal(0, 0.02, 12)
    write_csv(Trajectory(ts, 1 + 2 * np.exp(-0.3 * ts) + noise), tmp_path / "run.csv")
    out = tmp_path / "forecast.json"
    forecast = ["forecast", str(tmp_path / "run.csv"), "--horizon", "20", "--json", str(out)]
    run_command([*forecast, "--epsilon", "0.013"])
    assert strict(out)["rounds_left"]["epsilon"] == 0.013
    shown = " ".join(capsys.readouterr().out.split())
    assert "Rounds left to within 0.013 of the limit" in shown
    assert "Under this law the solver comes within 0.013 of its limit" in shown


def test_that_the_law_cannot_be_tested_on_few_rows_is_said(tmp_path, capsys):
    ts = np.arange(5.0)
    noise = np.random.default_rng(0).normal(0, 0.02, 5)
    write_csv(Trajectory(ts, 1 + 2 * np.exp(-0.3 * ts) + noise), tmp_path / "run.csv")
    run_command(["forecast", str(tmp_path / "run.csv"), "--horizon", "8"])
    said = " ".join(capsys.readouterr().out.split())
    assert "5 rows are too few to test the linear law, so its prediction is not shown." in said
    assert "Under the linear law" not in said


def test_backtest_says_of_what_its_errors_are_and_why_forecasts_are_missing(tmp_path, capsys):
    ts = np.arange(6.0)
    runs = {
        "right": Trajectory(ts, 1 - 0.5**ts, kind="accuracy"),
        "sure": Trajectory(ts, 1 + 0.5**ts),
        "below": Trajectory(ts, 0.5 - ts),
        "short": Trajectory(ts[:3], 1 + 0.5 ** ts[:3]),
    }
    rows = ["file,kind,n,time_unit,source"]
    for name, run in runs.items():
        write_csv(run, tmp_path / f"{name}.csv")
        rows.append(f"{name}.csv,{run.kind},,round,made here")
    (tmp_path / "manifest.csv").write_text("\n".join(rows) + "\n")
    run_command(["backtest", str(tmp_path)])
    printed = " ".join(capsys.readouterr().out.split())
    assert ". accuracy 0.6 1" in printed
    assert ". nats 0.6 1" in printed
    assert "of 2 forecasts." in printed
    assert "1 more were not made: the prefix reaches into the rows to forecast." in printed
    assert (
        "below.csv is left out at 0.6: column 'solver': a forecast needs uncertainties" in printed
    )


def test_backtest_writes_every_forecast(curve, tmp_path, capsys):
    (tmp_path / "runs").mkdir()
    write_csv(curve, tmp_path / "runs" / "a.csv")
    rows = "file,kind,n,time_unit,source\nruns/a.csv,accuracy,,round,made here\n"
    (tmp_path / "manifest.csv").write_text(f"{rows}absent.csv,accuracy,,round,nowhere\n")
    out = tmp_path / "backtest.json"
    with pytest.raises(SystemExit, match="2"):
        run_command(["backtest", str(tmp_path), "--prefix", "0.3", "0.5", "--json", str(out)])
    series = strict(out)["series"]
    assert [entry["prefix"] for entry in series] == [0.3, 0.5]
    for entry in series:
        assert entry["num_rows"] == 20
        assert entry["truth"] == pytest.approx(float(curve.solver[-5:].mean()))
        assert set(entry["baselines"]) == {"last", "exp3", "pow3", "sigmoid"}
    said = capsys.readouterr()
    assert "intervals contain the truth" in said.out
    assert "absent.csv is left out" in said.out
    assert said.err == f"jaxgap: {tmp_path / 'absent.csv'}: no such file\n"


def test_a_run_that_cannot_be_forecast_is_named_with_its_row(tmp_path, capsys):
    path = tmp_path / "neg.csv"
    path.write_text("t,solver\n0,3\n1,2\n2,-1.5\n3,-0.5\n4,1\n")
    with pytest.raises(SystemExit, match="2"):
        run_command(["forecast", str(path), "--horizon", "9"])
    assert capsys.readouterr().err == (
        f"jaxgap: {path}: column 'solver': a forecast needs uncertainties above zero, "
        "got -1.5 at t=2\n"
    )


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["forecast", "{run}", "--horizon", "3"], "horizon"),
        (["forecast", "{run}", "--horizon", "nan"], "horizon"),
        (["forecast", "{run}", "--horizon", "30", "--level", "2"], "level"),
        (["backtest", "{tmp}/none"], "none"),
        (["backtest", "{tmp}", "--prefix", "1.5"], "--prefix must lie between 0 and 1"),
        (["backtest", "{tmp}", "--prefix", "0.5", "0.5"], "--prefix must differ"),
    ],
)
def test_a_mistake_gets_one_line_and_status_2(argv, said, curve, tmp_path, capsys):
    write_csv(curve, tmp_path / "run.csv")
    with pytest.raises(SystemExit, match="2"):
        run_command([part.format(tmp=tmp_path, run=tmp_path / "run.csv") for part in argv])
    line = capsys.readouterr().err
    assert line.count("\n") == 1
    assert said in line


def printed(argv, capsys):
    """What a command printed, on one line."""
    run_command(argv)
    return " ".join(capsys.readouterr().out.split())


def test_rounds_left_are_printed_and_levels_exactly(curve, tmp_path, capsys):
    write_csv(curve, tmp_path / "run.csv")
    out = tmp_path / "forecast.json"
    argv = ["forecast", str(tmp_path / "run.csv"), "--horizon", "25", "--json", str(out)]
    said = printed([*argv, "--level", "0.999"], capsys)
    assert "99.9% interval" in said
    assert "100% interval" not in said
    left = strict(out)["rounds_left"]["median"]
    assert f"Rounds left to within 0.010 of the limit: about {left:.0f} epochs" in said
    assert "The next round" not in said


def test_a_cost_has_the_next_gain_beside_it(curve, tmp_path, capsys):
    write_csv(curve, tmp_path / "run.csv")
    out = tmp_path / "forecast.json"
    argv = ["forecast", str(tmp_path / "run.csv"), "--horizon", "25", "--json", str(out)]
    said = printed([*argv, "--cost", "0.02"], capsys)
    detail = strict(out)["advice_detail"]
    low, high = (number(end, 2) for end in detail["next_gain_interval"])
    gain = f"gains {number(detail['next_gain'], 2)}, 90% interval [{low}, {high}]"
    assert f"The next round (1 epoch) {gain}" in said
