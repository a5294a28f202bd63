"""Marks in columns as spreadsheets and programs write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxgap.trajectory.number_marks import number_marks, with_point

hundreds, above = st.integers(100, 999), st.integers(1000, 999_999)


@pytest.mark.parametrize("delimiter", [";", "\t"])
@pytest.mark.parametrize("mark", [",", "."])
@given(few=st.lists(hundreds, min_size=1), many=st.lists(above, min_size=1))
def test_marked_thousands_beside_hundreds_are_doubtful(delimiter, mark, few, many):
    cells = [f"{number:,}".replace(",", mark) for number in (*few, *many)]
    found = number_marks([["45%", cell] for cell in cells], delimiter)
    assert found == (frozenset(), {1: len(few)})


@pytest.mark.parametrize("delimiter", [";", "\t"])
@pytest.mark.parametrize("mark", [",", "."])
@given(
    numbers=st.lists(st.floats(-999, 999)), below_one=st.floats(0, 0.99), digits=st.integers(1, 6)
)
def test_decimals_below_one_tell_what_all_marks_of_the_table_are(
    delimiter, mark, numbers, below_one, digits
):
    rows = [["1.234", "7"] if mark == "." else ["1,234", "7"]]
    rows += [[f"{number:.{digits}f}".replace(".", mark), "7"] for number in (*numbers, below_one)]
    found = number_marks(rows, delimiter)
    assert found == (frozenset({0} if mark == "," else ()), {})
    if mark == ",":
        assert [float(with_point(row[0])) for row in rows[1:]] == [
            float(f"{number:.{digits}f}") for number in (*numbers, below_one)
        ]


def test_whole_thousands_are_doubtful_and_shares_of_a_thousand_items_are_not():
    steps = [["1.000"], ["2.000"], ["12.000"]]
    assert number_marks(steps, ";").doubtful == {0: 0}
    percentages = [["45.500"], ["50.100"], ["53.700"]]
    assert number_marks(percentages, ";").doubtful == {}


@pytest.mark.parametrize("mark", [",", "."])
def test_a_decimal_mark_elsewhere_makes_the_other_one_doubtful(mark):
    other = "." if mark == "," else ","
    rows = [[f"1{mark}234", f"3{other}5"], [f"1{mark}457", f"2{other}25"]]
    found = number_marks(rows, ";")
    assert found == (frozenset({1} if other == "," else ()), {0: 0})
