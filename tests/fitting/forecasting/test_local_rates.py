"""Local logistic regression of counts, against a general minimiser of the penalised likelihood."""

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import expit

from jaxgap.fitting.forecasting.local_rates import local_rates

NEITHER = (0.0, 0.0)


def penalised(parameters, wrong, items, away):
    level, slope = parameters
    logits = level + slope * away
    likelihood = wrong * logits - items * np.logaddexp(0, logits)
    return -likelihood.sum() + (slope / 1.5) ** 2 / 2


@pytest.mark.parametrize("seed", range(8))
def test_each_rate_maximises_the_penalised_likelihood_of_its_window(seed):
    rng = np.random.default_rng(seed)
    items = rng.integers(5, 60, 12).astype(float)
    wrong = rng.binomial(items.astype(int), expit(2 - rng.uniform(0.1, 1.2) * np.arange(12)))
    wrong = np.maximum(wrong, 1.0)
    reach = rng.integers(1, 8, 12)
    found = local_rates(wrong, items, reach.astype(float), NEITHER)
    for row, rate in enumerate(found):
        rows = np.arange(max(row - reach[row], 0), min(row + reach[row] + 1, 12))
        window = wrong[rows], items[rows], (rows - row) / reach[row]
        best = minimize(penalised, (0.0, 0.0), window, method="BFGS")
        assert rate == pytest.approx(expit(best.x[0]), rel=1e-4)


def test_a_row_without_neighbours_has_its_own_rate():
    wrong, items = np.array([3.0, 1e6, 0.0]), np.array([10.0, 4e6, 20.0])
    found = local_rates(wrong, items, np.zeros(3), (0.5, 0.5))
    np.testing.assert_allclose(found, (wrong + 0.5) / (items + 1), rtol=1e-12)


def test_equal_rows_have_their_common_rate():
    found = local_rates(np.full(9, 2.0), np.full(9, 20.0), np.full(9, 4.0), NEITHER)
    np.testing.assert_allclose(found, 0.1, rtol=1e-12)


def test_exchanging_errors_and_right_answers_exchanges_the_rates():
    rng = np.random.default_rng(0)
    items = np.full(15, 30.0)
    wrong = rng.binomial(30, np.linspace(0.9, 0.05, 15)).astype(float)
    reach = np.full(15, 5.0)
    found = local_rates(wrong, items, reach, (0.5, 0.0))
    exchanged = local_rates(items - wrong, items, reach, (0.0, 0.5))
    np.testing.assert_allclose(found, 1 - exchanged, rtol=1e-9)


@pytest.mark.parametrize("edge", [0.0, 1.0])
def test_windows_of_one_answer_alone_have_finite_rates(edge):
    items = np.full(20, 50.0)
    found = local_rates(edge * items, items, np.full(20, 6.0), (0.5, 0.5))
    assert ((found > 0) & (found < 1)).all()
    np.testing.assert_allclose(found, edge, atol=0.01)
