"""Shares of external responses: what is read as which, and what is refused."""

import numpy as np
import pytest

from jaxgap.errors import InputError
from jaxgap.fitting.external_data.schedule import DataSchedule
from jaxgap.improve.allocation import prolonged, shares
from jaxgap.improve.config import ImproveConfig


def test_shares():
    assert shares("early", 3) == (1, 0, 0)
    assert shares("late", 3) == (0, 0, 1)
    assert sum(shares("uniform", 7)) == pytest.approx(1)
    assert shares("0.25,0.75", 4) == (0.25, 0.75, 0, 0)


@pytest.mark.parametrize(
    "given",
    [
        "0.333,0.333,0.333",
        "0.111," * 8 + "0.111",
        "0.143," * 6 + "0.143",
        "0.5,0.3,0.199",
        "1.0005",
    ],
)
def test_rounded_shares_are_scaled_as_a_planned_schedule_scales_them(given):
    planned = [float(share) for share in given.split(",")]
    scaled = shares(given, len(planned))
    assert sum(scaled) == pytest.approx(1, abs=1e-15)
    assert scaled == pytest.approx(DataSchedule.given(np.arange(len(planned)), planned).shares)


def test_shares_that_are_one_in_sum_stay_as_they_are():
    assert shares("0.1,0.2,0.7", 3) == (0.1, 0.2, 0.7)
    given = (0.3333333333,) * 2 + (0.3333333334,)
    assert shares(",".join(map(repr, given)), 3) == given


@pytest.mark.parametrize(
    "allocation",
    ["soon", "0.5", "1.5,-0.5", "0.5,0.25,0.25", "nan,1", "", "0.5,0.498", "1e308,1e308"],
)
def test_other_allocations_are_refused(allocation):
    with pytest.raises(InputError, match="allocation must be early, uniform, late, or at most 2"):
        shares(allocation, 2)


def test_more_rounds_use_none_a_second_time():
    config = ImproveConfig(num_rounds=2, external="r.jsonl")
    longer = prolonged(config, 3)
    assert longer.num_rounds == 5
    assert shares(longer.allocation, 5) == (0.5, 0.5, 0, 0, 0)
    assert prolonged(config, 0) == config
