"""Accuracies that saturate: their limit stays among what an accuracy can be."""

import numpy as np
import pytest

from jaxgap.fitting import LinearLaw, fit, fit_many
from jaxgap.trajectory import Trajectory

T = np.arange(15.0)


@pytest.mark.parametrize("num_items", [200, 1000])
def test_the_limit_of_a_run_that_saturates_is_no_more_than_all(num_items):
    rng = np.random.default_rng(num_items)
    counts = rng.binomial(num_items, 1 - 0.7 * np.exp(-0.5 * T), (60, 15))
    runs = [
        Trajectory(T, each / num_items, kind="accuracy", num_items=num_items) for each in counts
    ]
    results = fit_many(LinearLaw(), runs)
    limits = [result.limits["solver"] for result in results]
    held = [each for each in limits if each.estimate is not None]
    assert len(held) > 50
    # Profiles do not know the bound: of 1000 items every sixth interval is wholly above one.
    inside = [0 <= each.estimate <= 1 and each.interval[1] <= 1 for each in held]
    assert np.mean(inside) > 0.8
    said = [any("outside [0, 1]" in remark for remark in each.remarks) for each in results]
    assert sum(said) == len(inside) - sum(inside)
    assert np.mean([each.interval[1] == 1 for each in held]) > 0.7


def test_a_limit_beyond_all_by_more_than_chance_is_shown_with_its_warning():
    """Rising in a straight line, it has no limit near one."""
    noise = 0.001 * np.random.default_rng(0).standard_normal(15)
    gained = 0.2 + 1.2 * (1 - np.exp(-T / 14)) + noise
    result = fit(LinearLaw(), Trajectory(T, gained, kind="accuracy"))
    assert result.limits["solver"].interval[0] > 1
    assert any("outside [0, 1]" in warning for warning in result.warnings)


def test_an_open_end_stays_open():
    noise = 0.02 * np.random.default_rng(0).standard_normal(15)
    result = fit(LinearLaw(), Trajectory(T, 0.2 + 0.03 * T + noise, kind="accuracy"))
    limit = result.limits["solver"]
    assert limit.estimate is None
    assert limit.interval[1] is None


@pytest.mark.parametrize("num_items", [20, 100])
def test_a_curve_that_reaches_all_is_fitted(num_items):
    """At 1 the likelihood pulls outward and the wall inward: that is a minimum like any other."""
    t = np.arange(30.0)
    counts = np.random.default_rng(1).binomial(num_items, 1 - 0.6 * np.exp(-0.3 * t), (40, 30))
    results = fit_many(
        LinearLaw(),
        [Trajectory(t, each / num_items, kind="accuracy", num_items=num_items) for each in counts],
    )
    assert np.mean([result.converged for result in results]) > 0.95
