"""Rounds left by the fitted law, against SciPy's own profile, and where they are withheld."""

import dataclasses

import jax
import numpy as np
import pytest
import scipy.optimize
import scipy.stats

from jaxgap.dynamics import GeneralLinearDynamics, time_left
from jaxgap.errors import InputError
from jaxgap.fitting import (
    LaggedLaw,
    LinearLaw,
    PowerLaw,
    SaturatingLaw,
    fit,
    fit_many,
)
from jaxgap.fitting.raw_fit import RawNumbers
from jaxgap.fitting.results import time_left as time_left_module
from jaxgap.fitting.results.sentences import time_left_sentence
from jaxgap.trajectory import Trajectory

EPSILON = 0.05
NOISE = 0.02


def run_of(seed=0, num_rows=12, rate=0.3, **record):
    ts = np.arange(float(num_rows))
    noise = np.random.default_rng(seed).normal(0, NOISE, num_rows)
    return Trajectory(ts, 1 + 2 * np.exp(-rate * ts) + noise, **record)


def profiled_by_scipy(run, epsilon, level):
    """Of U = U_inf + epsilon exp(-rate (t - t_near)), the profile of t_near less the last time."""

    def residuals(parameters, near):
        limit, rate = parameters
        return limit + epsilon * np.exp(-rate * (run.ts - near)) - run.solver

    def cost(near):
        fits = [
            scipy.optimize.least_squares(residuals, (limit, rate), args=(near,), xtol=1e-14)
            for limit in (0.95, 1.05)
            for rate in (0.2, 0.4)
        ]
        return 2 * min(each.cost for each in fits)

    last = run.ts[-1]
    found = scipy.optimize.minimize_scalar(cost, (last, last + 2), method="brent", tol=1e-10)
    variance = found.fun / (run.num_rows - 3)
    quantile = scipy.stats.t.ppf((1 + level) / 2, run.num_rows - 3)

    def beyond(near):
        return (cost(near) - found.fun) / variance - quantile**2

    low = scipy.optimize.brentq(beyond, found.x - 4, found.x)
    high = scipy.optimize.brentq(beyond, found.x, found.x + 8)
    return np.array([found.x, low, high]) - last


def test_the_interval_is_the_profile_of_the_time_itself():
    run = run_of()
    left = fit(LinearLaw(), run).time_left(EPSILON)
    expected = profiled_by_scipy(run, EPSILON, 0.9)
    np.testing.assert_allclose([left.estimate, *left.interval], expected, rtol=2e-3)


@pytest.mark.parametrize("noise", [1e-3, 1e-5, 1e-7, 0.0])
def test_precise_curves_bound_it_all_the_more(noise):
    ts = np.arange(12.0)
    rng = np.random.default_rng(1)
    solver = 1 + 3 * np.exp(-0.3 * ts) + noise * rng.normal(size=12)
    left = fit(LinearLaw(), Trajectory(ts, solver)).time_left(EPSILON)
    truth = np.log(3 / EPSILON) / 0.3 - 11
    low, high = left.interval
    assert low <= left.estimate <= high
    assert high - low < max(400 * noise, 1e-6)
    assert abs(left.estimate - truth) < max(400 * noise, 1e-6)


@pytest.mark.parametrize(
    "law",
    [
        LinearLaw(),
        *(
            pytest.param(law, marks=pytest.mark.slow)
            for law in (PowerLaw(), SaturatingLaw(), LaggedLaw())
        ),
    ],
)
def test_it_is_the_time_of_the_fitted_dynamics(law):
    run = run_of(seed=1)
    result = fit(law, run)
    left = result.time_left(EPSILON)
    with jax.enable_x64(True):
        expected = time_left(result.dynamics, EPSILON, run.ts[-1]).item()
    assert left.estimate == pytest.approx(expected, abs=1e-9)
    low, high = left.interval
    assert low < left.estimate < high


def test_of_accuracies_it_is_what_it_is_of_error_rates():
    ts = np.arange(12.0)
    errors = 0.3 + 0.4 * np.exp(-0.3 * ts) + np.random.default_rng(2).normal(0, 0.004, 12)
    of_accuracies = fit(LinearLaw(), Trajectory(ts, 1 - errors, kind="accuracy")).time_left()
    assert of_accuracies.epsilon == 0.01
    of_errors = fit(LinearLaw(), Trajectory(ts, errors)).time_left(0.01)
    assert of_accuracies.estimate == pytest.approx(of_errors.estimate, rel=1e-6)
    assert of_accuracies.interval == pytest.approx(of_errors.interval, rel=1e-4)


def test_by_default_near_is_a_twentieth_of_where_the_curve_has_come():
    left = fit(LinearLaw(), run_of()).time_left()
    assert left.epsilon == pytest.approx(0.05 * (1 + 2 * np.exp(-3.3)), rel=0.02)


def test_a_nearer_limit_takes_longer():
    result = fit(LinearLaw(), run_of())
    times = [result.time_left(epsilon).estimate for epsilon in (0.06, 0.04, 0.02)]
    assert times == sorted(times)
    assert times[2] - times[1] == pytest.approx(np.log(2) / result.parameters["rate"].estimate)


def test_a_run_that_has_arrived_has_no_time_left():
    result = fit(LinearLaw(), run_of(rate=0.8))
    left = result.time_left(0.1)
    assert (left.estimate, left.interval) == (0.0, (0.0, 0.0))


def test_that_it_has_arrived_is_said_by_the_law():
    result = fit(LinearLaw(), run_of(rate=0.8))
    near = f"{result.time_left().epsilon:#.2g}"
    assert time_left_sentence(result) == (
        f"Under this law the solver is already within {near} of its limit."
    )


@pytest.mark.parametrize("kind", ["uncertainty", "accuracy"])
def test_rows_that_stand_off_are_not_said_to_have_arrived(kind):
    """A run that falls at once and jumps back later: the law's limit is between its levels."""
    ts = np.arange(21.0)
    solver = np.where(ts < 4, 0.9, np.where(ts < 13, 0.2, 0.5))
    solver += 0.005 * np.random.default_rng(0).standard_normal(21)
    run = Trajectory(ts, 1 - solver if kind == "accuracy" else solver, kind=kind)
    result = fit(LinearLaw(), run)
    level = result.last_level
    assert abs(level.value - run.solver[-1]) < 3 * level.stderr
    said = time_left_sentence(result)
    assert "already" not in said
    assert f"but at the last row it stands at {level.value:#.4g} ± " in said


def test_a_run_that_was_near_from_the_first_has_no_time_left():
    left = fit(LinearLaw(), run_of()).time_left(4.0)
    assert (left.estimate, left.interval) == (0.0, (0.0, 0.0))


def test_without_a_limit_there_is_no_time_and_the_same_reason():
    result = fit(LinearLaw(), run_of(rate=0.01))
    left = result.time_left(EPSILON)
    assert left.estimate is None
    assert left.interval == (None, None)
    assert left.reason == result.limits["solver"].reason
    assert time_left_sentence(result) is None


def test_without_noise_or_a_minimum_there_is_none():
    result = fit(LinearLaw(), run_of())
    source = dataclasses.replace(result.source, quantile=None)
    for changed in (
        dataclasses.replace(result, source=source),
        dataclasses.replace(result, converged=False),
    ):
        left = changed.time_left(EPSILON)
        assert (left.estimate, left.interval) == (None, (None, None))
        assert left.reason


@pytest.mark.parametrize("found", [(np.nan, 1.0, 2.0), (1.0, 1.0, np.nan), (1.0, np.nan, np.inf)])
def test_a_search_that_failed_is_not_a_run_that_has_arrived(found, monkeypatch):
    def failed(*_):
        return RawNumbers(np.float64(found[0]), np.float64(0.1), np.array(found[1:]))

    result = fit(LinearLaw(), run_of())
    monkeypatch.setattr(time_left_module, "interval_of_time_left", failed)
    left = result.time_left(EPSILON)
    assert left.estimate is None
    assert left.interval in [(1.0, None), (None, None)]
    assert left.reason


def test_a_fit_far_beyond_what_is_followed_does_not_have_zero_for_its_nearest_time():
    ts = np.arange(16.0)
    noise = 0.003 * np.random.default_rng(0).standard_normal(16)
    result = fit(PowerLaw(), Trajectory(ts, 0.5 + (1 + ts) ** -1.2 + noise))
    near, far = result.time_left(0.05), result.time_left(1e-5)
    assert near.interval[0] is not None
    assert (far.estimate, far.interval[1]) == (None, None)
    assert far.interval[0] is None or far.interval[0] > 100
    assert "more than 100 times the observed time" in far.reason


def test_a_law_without_a_closed_form_says_so():
    of_law = fit(LinearLaw(), run_of())
    none = np.zeros(2)
    two_rates = GeneralLinearDynamics(0.3, 0.1, np.array([2.0, 1.0]), none, 3.0, 2.0)
    left = dataclasses.replace(of_law, dynamics=two_rates).time_left(EPSILON)
    assert left.estimate is None
    assert "no closed form" in left.reason


@pytest.mark.parametrize("epsilon", [0.0, -1.0, float("nan"), float("inf")])
def test_nearness_is_above_zero(epsilon):
    result = fit(LinearLaw(), run_of())
    with pytest.raises(InputError, match="epsilon must be above zero"):
        result.time_left(epsilon)


def test_the_report_and_the_json_have_it():
    result = fit(LinearLaw(), run_of(time_unit="round"))
    left = result.time_left()
    assert result.to_dict()["time_left"] == left.to_dict()
    low, high = left.interval
    sentence = (
        f"Under this law the solver comes within {left.epsilon:.2g} of its limit in "
        f"{left.estimate:.2g} rounds, 90% interval [{low:.2g}, {high:.2g}]."
    )
    assert sentence in result.report()


@pytest.mark.slow
def test_nine_in_ten_intervals_hold_the_true_time():
    runs = [run_of(seed) for seed in range(400)]
    truth = np.log(2 * np.exp(-0.3 * 11) / EPSILON) / 0.3
    lefts = [result.time_left(EPSILON) for result in fit_many(LinearLaw(), runs)]
    held = [left.interval[0] <= truth <= left.interval[1] for left in lefts]
    assert np.mean(held) == pytest.approx(0.9, abs=0.045)
