"""A framed message of several sections, some with help texts, becomes one line."""

import pytest

from jaxgap.cli.tyro_errors import one_line

PANEL = """\
╭─ Unrecognized options ──────────────────────────╮
│ Unrecognized options:                           │
│ --modle                                         │
│ ─────────────────────────────────────────────── │
│ Perhaps you meant:                              │
│     --model STR                                 │
│         The law to fit.                         │
│ ─────────────────────────────────────────────── │
│ For full helptext, run jaxgap fit --help        │
╰─────────────────────────────────────────────────╯
"""


@pytest.mark.parametrize("ascii_only", [False, True])
def test_a_frame_is_one_line_with_its_suggestion(ascii_only):
    panel = PANEL.replace("─", "-").replace("│", " ") if ascii_only else PANEL
    said = one_line(panel, ["fit", "a.csv", "--modle", "linear"])
    assert said == "Unrecognized options: --modle; perhaps --model; see jaxgap fit --help"


def test_an_option_that_was_typed_is_not_suggested():
    said = one_line(PANEL, ["fit", "a.csv", "--model", "linear"])
    assert said == "Unrecognized options: --modle; see jaxgap fit --help"


WRONG_VALUE = """\
╭─ Value error ────────────────────────────────────────────╮
│ Error parsing --seeds: Could not find valid parse for    │
│ arguments: ['abc', '1']                                  │
│ ──────────────────────────────────────────────────────── │
│ Argument helptext:                                       │
│     --seeds [INT [INT ...]]                              │
│ ──────────────────────────────────────────────────────── │
│ For full helptext, see jaxgap --help                     │
╰──────────────────────────────────────────────────────────╯
"""


@pytest.mark.parametrize(
    ("typed", "got"),
    [("--seeds abc 1 --out b", "'abc' '1'"), ("--seeds 2 --seeds=abc", "'abc'")],
)
def test_a_wrong_value_is_the_one_that_was_typed_last(typed, got):
    said = one_line(WRONG_VALUE, ["bench", *typed.split()], ["bench"])
    assert said == f"--seeds takes whole numbers, got {got}; see jaxgap bench --help"
