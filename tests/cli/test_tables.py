"""Tables in a terminal of 80 columns, whatever the names in them."""

import io
from types import SimpleNamespace

from jaxgap.cli.tables import print_backtest
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
