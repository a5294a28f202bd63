"""The limit under a schedule: its slopes are those of differences, and misuse is refused."""

import pytest

from jaxgap.dynamics import GapDynamics, LinearPotential, RankOneCoupling
from jaxgap.errors import InputError
from jaxgap.fitting.external_data.schedule import DataSchedule
from jaxgap.fitting.external_data.under_schedule import invalid_reason, limit_slopes

LAW = GapDynamics(LinearPotential(0.2, 0.0), RankOneCoupling(0.12), 1.5, 1.0)
BOTH, BEFORE = DataSchedule.uniform([0, 1]), DataSchedule.uniform([-1, 1])


def test_slopes_are_those_of_differences():
    law, schedule, h = LAW, DataSchedule.given([0.0, 2.0], [0.7, 0.3]), 1e-5
    slopes = limit_slopes(law, schedule, 0.8)
    up, down = (limit_slopes(law, schedule, 0.8 + each).limit for each in (h, -h))
    assert slopes.by_strength == pytest.approx((up - down) / (2 * h), rel=1e-6)
    moved = DataSchedule.given([0.0, 2.0], [0.7 + h, 0.3 - h])
    change = (limit_slopes(law, moved, 0.8).limit - slopes.limit) / h
    assert slopes.by_shares[0] - slopes.by_shares[1] == pytest.approx(change, rel=1e-3)


@pytest.mark.parametrize(
    ("ask", "said"),
    [
        (lambda: limit_slopes(LAW, BOTH, -1.0), "strength must be .* got -1"),
        (lambda: limit_slopes(LAW, BEFORE, 0.1), "first time 0, got -1"),
        (lambda: invalid_reason(LAW, BOTH, -1.0), "strength must be .* got -1"),
    ],
)
def test_misuse_is_refused(ask, said):
    with pytest.raises(InputError, match=said):
        ask()
