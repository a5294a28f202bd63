"""Forecasts of long logs, of next to nothing, and of accuracies at the edge."""

import dataclasses
import importlib

import jax
import numpy as np
import pytest

from jaxgap.errors import InputError
from jaxgap.fitting.forecasting import forecast
from jaxgap.fitting.forecasting.futures import sample_futures
from jaxgap.fitting.forecasting.observations import Observations
from jaxgap.trajectory import Trajectory

# The package's function of the same name hides the module.
forecast_module = importlib.import_module("jaxgap.fitting.forecasting.forecast")
KEY = jax.random.key(0)


@pytest.mark.slow
def test_a_long_log_is_averaged_in_blocks_and_said():
    ts = np.arange(4000.0)
    noise = np.random.default_rng(0).normal(0, 0.05, 4000)
    run = Trajectory(ts, 0.7 - 0.4 * np.exp(-ts / 800) + noise, kind="accuracy")
    found = forecast(run, 5000.0, key=KEY)
    assert "4000 rows were averaged in blocks of 16" in found.warnings
    assert found.solver.median == pytest.approx(0.7, abs=0.03)
    # The forecast is for a single measurement, whose noise no average takes away.
    low, high = found.solver.interval
    assert 2 * 1.645 * 0.05 * 0.7 < high - low < 0.4


def long_run(num_rows, last):
    """An uncertainty that has come to 2, with noise, and a last row of its own."""
    ts = np.arange(float(num_rows))
    noise = np.random.default_rng(0).normal(0, 0.02, num_rows)
    return Trajectory(ts, np.append((2 + np.exp(-ts / 40) + noise)[:-1], last))


def test_a_long_run_is_as_near_its_limit_as_its_last_rows_say_together(monkeypatch):
    looked_at = []

    def record(observations, ts, key):
        looked_at.append(ts)
        # The last blocks alone, since all of them take half a minute.
        rows = {name: getattr(observations, name)[-8:] for name in ("ts", "values", "variances")}
        return sample_futures(dataclasses.replace(observations, **rows), ts, key)

    monkeypatch.setattr(forecast_module, "sample_futures", record)
    run = long_run(1024, last=0.0)
    found = forecast(run, 1100.0, key=KEY)
    assert found.rounds_left.epsilon == pytest.approx(0.05 * run.solver[-4:].mean())
    # Rounds are counted from the last row, not from the middle of the last four.
    assert looked_at[0][0] == run.ts[-1]
    assert found.rounds_left.interval[0] == 0.0


def test_a_measured_accuracy_is_a_binomial_count():
    truth, num_items = np.full((40_000, 1), 0.004), 200
    seen = Observations.of_accuracies(np.arange(3.0), np.full(3, 0.99), num_items, None)
    drawn = seen.measure(np.log(truth), np.ones(len(truth)), KEY)[:, 0]
    assert np.allclose(drawn * num_items, np.round(drawn * num_items))
    assert drawn.mean() == pytest.approx(0.996, abs=3e-4)
    assert drawn.std() == pytest.approx(np.sqrt(0.996 * 0.004 / 200), rel=0.05)
    assert np.mean(drawn == 1) == pytest.approx(0.996**200, abs=0.01)


@pytest.mark.parametrize("edge", [0.0, 1.0])
def test_a_run_that_stays_at_the_edge_is_forecast_to_stay(edge):
    run = Trajectory(np.arange(12.0), np.full(12, edge), kind="accuracy", num_items=500)
    found = forecast(run, 14.0, key=KEY)
    assert found.solver.median == pytest.approx(edge, abs=2e-3)
    assert found.solver.interval[0] <= edge <= found.solver.interval[1]


@pytest.mark.parametrize("num_rows", [3, pytest.param(4, marks=pytest.mark.slow), 5])
@pytest.mark.parametrize(
    "curve", [lambda t: 0.5 + 0 * t, lambda t: 0.5 + 0.1 * t, lambda t: t == 1]
)
def test_short_constant_straight_and_spiked_runs_get_an_honest_interval(num_rows, curve):
    ts = np.arange(float(num_rows))
    found = forecast(Trajectory(ts, curve(ts) * 1.0, kind="accuracy"), num_rows + 1.0, key=KEY)
    low, high = found.solver.interval
    assert 0 <= low < high <= 1
    assert low <= found.solver.median <= high
    assert found.advice.verdict in ("stop", "continue", "cannot tell")


def test_a_horizon_that_no_law_reaches_is_refused():
    run = Trajectory([0, 1, 2], [3.0, 2.0, 1.5])
    with pytest.raises(InputError, match="within 1e\\+06 times the observed time, got 1e\\+308"):
        forecast(run, 1e308, key=KEY)
    assert np.isfinite(forecast(run, 2.0 + 1e-9, key=KEY).solver.interval).all()


@pytest.mark.parametrize(
    ("ts", "values", "message"),
    [
        ([0, 1e300, 1.7e308], [3.0, 2.0, 1.0], "times span"),
        ([0, 5e-324, 1e-323], [3.0, 2.0, 1.0], "times span"),
        ([0, 1, 2], [1e308, 1e307, 1.0], "has a largest magnitude of 1e\\+308"),
        ([0, 1, 2], [3e-320, 2e-320, 1e-320], "has a largest magnitude of 3e-320"),
    ],
)
def test_numbers_that_overflow_are_refused(ts, values, message):
    with pytest.raises(InputError, match=message):
        forecast(Trajectory(ts, values), 2e308 if ts[-1] > 1e100 else 9.0, key=KEY)


@pytest.mark.parametrize("error", [0.5, 0.03, 0.001, 1e-5])
def test_a_standard_error_is_not_smoothed_away(error):
    """Half an item of as many as have this error is a fortieth of it or less at a twentieth."""
    stderr = error / 20
    seen = Observations.of_accuracies(
        np.arange(3.0), np.full(3, 1 - error), None, np.full(3, stderr)
    )
    np.testing.assert_allclose(np.exp(seen.values), error, atol=stderr / 30)


def test_zeros_and_ones_of_unknown_items_are_moved_alone_and_stay_the_outermost():
    accuracies = np.array([0.0, 0.0004, 0.5, 0.9996, 1.0])
    errors = np.exp(Observations.of_accuracies(np.arange(5.0), accuracies, None, None).values)
    np.testing.assert_allclose(errors[1:4], 1 - accuracies[1:4], rtol=1e-12)
    assert 1 > errors[0] > errors[1]
    assert 0 < errors[4] < errors[3]


def test_an_edge_with_a_standard_error_is_within_it():
    seen = Observations.of_accuracies(np.arange(3.0), np.ones(3), None, np.full(3, 1e-3))
    assert (np.exp(seen.values) > 0).all()
    assert (np.exp(seen.values) < 1e-3).all()
