"""Logarithms of counted error rates: unbiased where counts are few, as they are elsewhere."""

import numpy as np
import pytest

from jaxgap.fitting.forecasting.counts import log_rates

MANY_RUNS = 2000


def weighted_mean(errors, num_items):
    """The rate at which many rows of one constant rate are estimated."""
    found = log_rates(errors, np.full(len(errors), num_items))
    weights = num_items * found.rates / (1 - found.rates)
    return np.exp(np.average(found.values, weights=weights))


@pytest.mark.parametrize("rate", [0.003, 0.03, 0.5, 0.97, 0.997])
@pytest.mark.parametrize("num_rows", [40, 100])
def test_many_rows_of_few_items_have_the_rate_of_all_items_together(rate, num_rows):
    rng = np.random.default_rng(0)
    wrong = rng.binomial(30, rate, (50, num_rows))
    pooled = (wrong.sum(axis=1) + 0.5) / (30 * num_rows + 1)
    found = [weighted_mean(each / 30, 30.0) for each in wrong]
    off = (np.array(found) - pooled) / np.sqrt(pooled * (1 - pooled) / (30 * num_rows))
    assert abs(off.mean()) < 0.8
    assert off.std() < 0.4


@pytest.mark.parametrize("rate", [0.02, 0.1, 0.5, 0.98])
def test_their_mean_and_variance_are_those_of_the_logarithm(rate):
    rng = np.random.default_rng(1)
    num_items = np.full(60, 40.0)
    found = [log_rates(rng.binomial(40, rate, 60) / 40, num_items) for _ in range(MANY_RUNS)]
    values = np.array([each.values for each in found])
    variance = (1 - rate) / (40 * rate)
    assert values.mean() == pytest.approx(np.log(rate), abs=0.05 * np.sqrt(variance))
    assert values.var() == pytest.approx(variance, rel=0.3)
    stated = np.mean([(1 - each.rates) / (40 * each.rates) for each in found])
    assert stated == pytest.approx(variance, rel=0.15)


def test_rows_with_enough_of_both_stand_alone():
    errors, items = np.array([0.9, 0.5, 0.2, 0.3]), np.array([200.0, 1000.0, 60.0, 1000.0])
    found = log_rates(errors, items)
    np.testing.assert_allclose(np.exp(found.values), (errors * items + 0.5) / (items + 0.5))
    np.testing.assert_allclose(found.rates[[1, 3]], (errors * items + 0.5)[[1, 3]] / 1001)


def test_neighbours_that_a_row_contradicts_have_no_part_in_it():
    errors = np.array([0.3, 0.3, 0.0, 0.3, 0.3])
    found = log_rates(errors, np.full(5, 1e6))
    np.testing.assert_allclose(np.exp(found.values), [0.3, 0.3, 5e-7, 0.3, 0.3], rtol=1e-5)


def test_a_row_without_errors_is_below_its_neighbours():
    errors = np.array([2, 1, 0, 1, 2]) / 30
    values = log_rates(errors, np.full(5, 30.0)).values
    assert np.argmin(values) == 2
    assert (np.diff(values[:3]) < 0).all()


def test_rows_are_reversed_with_time():
    rng = np.random.default_rng(2)
    errors, items = rng.binomial(20, 0.1, 15) / 20, np.full(15, 20.0)
    there, back = log_rates(errors, items), log_rates(errors[::-1], items)
    np.testing.assert_allclose(there.values, back.values[::-1])
    np.testing.assert_allclose(there.rates, back.rates[::-1])


@pytest.mark.parametrize("edge", [0.0, 1.0])
def test_runs_of_nothing_but_zeros_or_ones_stay_near_them(edge):
    found = log_rates(np.full(12, edge), np.full(12, 30.0))
    assert np.isfinite(found.values).all()
    assert ((found.rates > 0) & (found.rates < 1)).all()
    np.testing.assert_allclose(np.exp(found.values), edge, atol=0.5 / 360)


@pytest.mark.parametrize("num_rows", [8, 12, 20])
@pytest.mark.parametrize("num_items", [10, 30, 100])
def test_the_ends_of_a_steep_curve_are_not_those_of_earlier_rows(num_rows, num_items):
    rates = 0.02 + 0.9 * np.exp(np.linspace(0, -4, num_rows))
    rng = np.random.default_rng(3)
    items = np.full(num_rows, float(num_items))
    found = [log_rates(rng.binomial(num_items, rates) / num_items, items) for _ in range(500)]
    values = np.array([each.values[-3:] for each in found])
    variances = ((1 - rates) / (num_items * rates))[-3:]
    stated = np.array([(1 - each.rates) / (num_items * each.rates) for each in found])[:, -3:]
    assert (np.abs(values.mean(axis=0) - np.log(rates[-3:])) < 0.2 * np.sqrt(variances)).all()
    ratio = np.median(stated, axis=0) / variances
    assert ((ratio > 0.5) & (ratio < 1.6)).all()
