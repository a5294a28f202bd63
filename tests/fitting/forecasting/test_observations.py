"""Measurements as a forecast sees them, and simulated curves as they would be measured."""

import jax
import numpy as np
import pytest

from jaxgap.fitting.forecasting.forecast import forecast
from jaxgap.fitting.forecasting.observations import Observations
from jaxgap.trajectory import Trajectory

KEY = jax.random.key(0)
TS = np.arange(20.0)
FALLING = 10 / (1 + TS)


@pytest.mark.parametrize("power", [0.0, 0.5, 1.0])
def test_given_standard_errors_grow_with_the_value_as_they_did(power):
    stderrs = 0.02 * FALLING**power
    seen = Observations.of_positive(TS, FALLING, stderrs, "solver")
    level = 0.25  # beyond the measured range
    drawn = seen.measure(np.full((40_000, 1), np.log(level)), np.ones(40_000), KEY)
    assert drawn.std() == pytest.approx(0.02 * level**power, rel=0.02)
    assert drawn.mean() == pytest.approx(level, abs=1e-3)


def test_errors_that_fall_while_values_rise_are_taken_as_constant():
    seen = Observations.of_positive(TS, FALLING, 0.02 / FALLING, "solver")
    assert seen.noise_power == 0.0
    assert Observations.of_positive(TS, 0 * TS + 3, 0 * TS + 0.1, "solver").noise_power == 1.0


@pytest.mark.parametrize("stderrs", [None, np.zeros(20)])
@pytest.mark.parametrize("value", [0.0, 1.0])
def test_a_run_of_zeros_or_ones_expects_more_of_them(value, stderrs):
    run = Trajectory(TS, np.full(20, value), solver_se=stderrs, kind="accuracy")
    drawn = forecast(run, 20.0, key=KEY).solver
    assert np.mean(drawn.draws == value) > 0.4
    assert drawn.interval[0] <= value <= drawn.interval[1]


def test_an_error_larger_than_the_value_gives_no_negative_measurement():
    seen = Observations.of_positive(TS, FALLING, 0 * TS + 0.1, "solver")
    drawn = seen.measure(np.full((1000, 1), np.log(0.01)), np.ones(1000), KEY)
    assert drawn.min() == 0.0
    assert drawn.max() < 0.6


def test_a_forecast_is_no_narrower_than_the_noise_that_is_given():
    stderr = 0.1
    found = forecast(Trajectory(TS, FALLING, solver_se=0 * TS + stderr), 20.0, key=KEY)
    low, high = found.solver.interval
    assert (high - low) / 2 > 1.645 * stderr


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_standard_errors_of_counts_say_what_the_number_of_items_says(rate):
    wrong = np.clip(np.random.default_rng(0).binomial(30, rate, 20), 1, 29) / 30
    stderrs = np.sqrt(wrong * (1 - wrong) / 30)
    given = Observations.of_accuracies(TS, 1 - wrong, None, stderrs)
    counted = Observations.of_accuracies(TS, 1 - wrong, 30, None)
    np.testing.assert_allclose(given.values, counted.values, rtol=0.03)
    np.testing.assert_allclose(given.variances, counted.variances, rtol=0.03)
    assert given.relative_noise == pytest.approx(counted.relative_noise)
