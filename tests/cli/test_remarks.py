"""Remarks below a table: one letter for those that differ in details, and what all of them say."""

import io

import pytest

from jaxgap.cli.remarks import Remarks
from jaxgap.cli.terminal import Terminal


def shown(*notes):
    """The lines below a table of as many rows as there are notes."""
    remarks, output = Remarks(), io.StringIO()
    letters = [remarks.letters([note]) for note in notes]
    remarks.show(Terminal(file=output, width=200))
    lines = output.getvalue().splitlines()
    assert {line.partition(": ")[0] for line in lines} == {each for row in letters for each in row}
    return [line.partition(": ")[2] for line in lines]


@pytest.mark.parametrize(
    ("notes", "said"),
    [
        (
            [
                "the solver rises from 0.3 to 0.5 and is odd: if so, give kind='accuracy'",
                "the solver rises from 0.1 to 0.9 and is odd: if so, give kind='accuracy'",
            ],
            "the solver rises from 0.1–0.3 to 0.5–0.9 and is odd (details in the JSON): if so, "
            "give --kind accuracy",
        ),
        (
            ["3 rows were left out; without x they count", "4 rows were left out; without x they"],
            "3–4 rows were left out (details in the JSON)",
        ),
        (
            ["3 rows were left out; without x they count"] * 2,
            "3 rows were left out; without x they count",
        ),
        (
            ["slope -2 (p = 0.1): look at it", "slope 1 (p = 0.2): look at it"],
            "slope -2 to 1 (details in the JSON): look at it",
        ),
    ],
)
def test_remarks_that_are_merged_keep_their_advice(notes, said):
    assert shown(*notes) == [said]


@pytest.mark.parametrize("bounds", [("0", "1"), ("-1", "1"), ("0", "12.5")])
def test_opposite_bounds_are_different_remarks(bounds):
    notes = [f"rate is on its bound {bound}" for bound in bounds]
    assert shown(*notes) == notes


def test_remarks_may_hold_a_sign_in_the_place_of_a_number():
    notes = ["column 'run 12' is not used", "column 'run #' is not used"]
    assert shown(*notes) == notes


def test_letters_go_on_after_z_and_are_not_repeated_in_a_row():
    remarks = Remarks()
    words = [chr(ord("a") + i) * 3 for i in range(26)] + ["aaaa", "bbbb"]
    assert remarks.letters(words)[-3:] == ["z", "aa", "ab"]
    assert remarks.letters(["bbbb", "aaa", "bbbb"]) == ["ab", "a"]
