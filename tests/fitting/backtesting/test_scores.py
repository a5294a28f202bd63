"""The scores against closed forms for the normal distribution and the definition over pairs."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from jaxgap.fitting.backtesting.scores import crps_of_draws, log_score_of_draws

FINITE = st.floats(-100.0, 100.0)


@given(st.lists(FINITE, min_size=1, max_size=20), FINITE)
def test_crps_is_its_definition_over_all_pairs(draws, truth):
    x = np.array(draws)
    definition = np.abs(x - truth).mean() - 0.5 * np.abs(x[:, None] - x).mean()
    assert crps_of_draws(x, truth) == pytest.approx(definition, abs=1e-9)


@pytest.mark.parametrize("truth", [-1.0, 0.0, 2.5])
def test_scores_of_the_normal_distribution(truth):
    draws = norm.ppf((np.arange(20_000) + 0.5) / 20_000)
    crps = truth * (2 * norm.cdf(truth) - 1) + 2 * norm.pdf(truth) - 1 / np.sqrt(np.pi)
    assert crps_of_draws(draws, truth) == pytest.approx(crps, abs=1e-3)
    assert log_score_of_draws(draws, truth) == pytest.approx(-norm.logpdf(truth), abs=0.06)


def test_the_log_score_is_finite_however_wrong():
    assert np.isfinite(log_score_of_draws(np.array([0.5, 0.6, 0.7]), 1e6))
    assert np.isfinite(log_score_of_draws(np.ones(5), 1.0))
