"""One reported number: what is withheld has a reason, and mirroring and cutting keep its order."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxgap.fitting import Estimate

EXACT = st.integers(-64, 128).map(lambda number: number / 64)
OPEN = st.none() | EXACT


@given(OPEN, OPEN, OPEN)
def test_mirroring_twice_changes_nothing(value, low, high):
    estimate = Estimate(value, 0.125, (low, high), "why")
    assert estimate.mirrored().mirrored() == estimate
    assert estimate.mirrored().stderr == 0.125


def test_an_open_end_changes_sides():
    assert Estimate(0.25, 0.1, (0.125, None)).mirrored() == Estimate(0.75, 0.1, (None, 0.875))
    assert Estimate.absent("why").mirrored() == Estimate.absent("why")


@given(EXACT, EXACT, EXACT)
def test_what_is_cut_lies_between_the_bounds_or_is_beyond_them_in_all(one, two, three):
    low, value, high = sorted([one, two, three])
    cut = Estimate(value, 0.1, (low, high)).within(0.0, 1.0)
    if low > 1 or high < 0:
        assert cut == Estimate(value, 0.1, (low, high))
    else:
        assert 0 <= cut.interval[0] <= cut.estimate <= cut.interval[1] <= 1
        assert (cut.stderr is None) == (not 0 <= value <= 1)


FLOATS = st.floats(-4, 4) | st.sampled_from([math.inf, -math.inf, math.nan])


@given(FLOATS, FLOATS, FLOATS, FLOATS, st.booleans(), st.booleans(), st.booleans())
def test_what_is_missing_has_a_reason(value, stderr, low, high, at_bound, is_limit, redundant):
    form = Estimate.measured(
        value, stderr, (low, high), most=2.0, at_bound=at_bound, is_limit=is_limit,
        redundant=redundant,
    ).to_dict()  # fmt: skip
    numbers = [form["estimate"], form["stderr"], *(form["interval"] or (None,))]
    assert ("reason" in form) == (None in numbers)
    assert all(each is None or math.isfinite(each) for each in numbers)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"interval": (0.1, math.inf)}, "do not bound it from above"),
        ({"interval": (0.0, 1.0), "bounds": (0.0, 1.0)}, "every allowed value, 0 to 1"),
        ({"most": 0.01}, "wider than the whole range observed"),
        ({"at_bound": True}, "on the bound"),
        ({"redundant": True}, "without changing any measured curve"),
    ],
)
def test_a_number_that_the_data_do_not_determine_says_why(changes, reason):
    known = {"estimate": 0.5, "stderr": 0.1, "interval": (0.3, 0.7)}
    found = Estimate.measured(**(known | changes))
    assert found.stderr is None
    assert reason in found.reason
    assert "unidentifiable" in found.identifiability


@pytest.mark.parametrize("stderr", [9.3e3, math.inf, math.nan])
def test_a_standard_error_out_of_proportion_to_the_interval_is_not_shown(stderr):
    found = Estimate.measured(0.04, stderr, (-0.1, 0.05))
    assert (found.estimate, found.stderr, found.interval) == (0.04, None, (-0.1, 0.05))
    assert "curvature at the fit is singular" in found.reason
    assert found.identifiability == "identifiable"
