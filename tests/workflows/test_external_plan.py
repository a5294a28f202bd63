"""Plans for external data: what cannot be planned is refused in words."""

import numpy as np
import pytest

from jaxgap.errors import InputError
from jaxgap.fitting import LinearLaw, fit
from jaxgap.trajectory import Trajectory
from jaxgap.workflows.external_plan import plan_external_data

ROUNDS = np.array([0.0, 4.0])


@pytest.fixture(scope="module", name="result")
def _result():
    ts, decay = np.arange(12.0), np.exp(-0.4 * np.arange(12.0))
    return fit(LinearLaw(), Trajectory(ts, 1 + 3 * decay, 0.8 + 1.2 * decay))


@pytest.mark.parametrize("strength", [0.0, -1.0, np.nan, np.inf])
def test_strengths_that_are_none_are_refused(result, strength):
    with pytest.raises(InputError, match=f"above zero and finite, got {strength:g}"):
        plan_external_data(result, strength, ROUNDS)


@pytest.mark.parametrize("strengths", [(0.0, 1.0), (1.0, 0.1), (0.1, np.inf), (np.nan, 1.0)])
def test_ranges_of_strengths_that_do_not_increase_are_refused(result, strengths):
    with pytest.raises(InputError, match="finite and increase from above zero, got"):
        plan_external_data(result, 0.1, ROUNDS, strengths=strengths)


def test_a_plan_covers_the_range_that_was_asked_for(result):
    over = plan_external_data(result, 0.1, ROUNDS, strengths=(0.02, 0.3)).over_strengths
    assert (over[0].strength, over[-1].strength) == pytest.approx((0.02, 0.3))
    assert [each.strength for each in over] == sorted(each.strength for each in over)


def test_a_schedules_last_gamma_within_the_model_does_not_depend_on_the_range(result):
    def last_valid(strengths, name):
        over = plan_external_data(result, 0.1, ROUNDS, strengths=strengths).over_strengths
        assert any(each.invalid for each in over)
        return max(each.strength for each in over if name not in each.invalid)

    for name in ("early", "late"):
        narrow, wide = last_valid((0.2, 2.0), name), last_valid((0.01, 300.0), name)
        assert wide == pytest.approx(narrow, rel=2e-3)
