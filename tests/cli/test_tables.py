"""Tables in a terminal of 80 columns, whatever the names in them."""

import io
from types import SimpleNamespace

from jaxgap.cli.tables import print_backtest, print_forecast
from jaxgap.cli.terminal import Terminal
from jaxgap.fitting.backtesting import BASELINES


def test_a_long_name_of_a_folder_takes_no_room_from_the_errors():
    errors = {name: 0.0101 + 0.001 * index for index, name in enumerate(["forecast", *BASELINES])}
    row = {
        "group": "runs-with-the-careful-verifier-" * 3,
        "kind": "accuracy",
        "unit": "fraction",
        "prefix": 0.5,
    }
    row |= {"num": 12, "mae": errors, "coverage": 0.93}
    report = SimpleNamespace(summaries=lambda: [row], coverage=None, left_out=[])
    output = io.StringIO()
    print_backtest(Terminal(file=output, width=80), report)
    lines = output.getvalue().splitlines()
    assert max(map(len, lines)) <= 80
    (first,) = (line for line in lines if "93%" in line)
    assert all(f"{error:.3f}" in first for error in errors.values())


def test_the_names_of_the_recorded_folders_are_not_broken():
    names = ["grpo", "published", "qwen05b_arithmetic", "sun2025_fig4"]
    errors = dict.fromkeys(["forecast", *BASELINES], 0.0865)
    scored = {"kind": "accuracy", "unit": "fraction", "prefix": 0.3, "num": 10, "mae": errors}
    rows = [{"group": name, "coverage": 1.0} | scored for name in names]
    report = SimpleNamespace(summaries=lambda: rows, coverage=None, left_out=[])
    output = io.StringIO()
    print_backtest(Terminal(file=output, width=80), report)
    firsts = [line.split()[0] for line in output.getvalue().splitlines() if "100%" in line]
    assert firsts == names


def test_a_forecast_says_why_there_is_no_mean_and_counts_one_round():
    known = SimpleNamespace(mean=0.5, median=0.5, interval=(0.4, 0.6))
    unknown = SimpleNamespace(mean=None, median=0.5, interval=(0.4, 0.6))
    result = SimpleNamespace(
        horizon=1.0,
        time_unit="round",
        level=0.9,
        weights={"power": 1.0},
        solver=known,
        verifier=unknown,
        gap=unknown,
        warnings=[],
        rounds_left=SimpleNamespace(median=None, epsilon=0.1, reason="it rises"),
        advice=SimpleNamespace(cost=None, verdict="stop", why="nothing is left"),
    )
    output = io.StringIO()
    print_forecast(Terminal(file=output, width=80), result)
    said = " ".join(output.getvalue().split())
    assert "At 1 round, for one measurement" in said
    assert "No mean of the verifier or the gap: it is outside of the interval" in said
