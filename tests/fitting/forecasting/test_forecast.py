"""Forecasts as a user sees them: known curves, units, refusals, and the public JSON form."""

import importlib
import json

import jax
import numpy as np
import pytest

from jaxgap.errors import InputError
from jaxgap.fitting.forecasting import Predictive, forecast, forecast_average
from jaxgap.trajectory import Trajectory

# The package's function of the same name hides the module.
forecast_module = importlib.import_module("jaxgap.fitting.forecasting.forecast")
KEY = jax.random.key(0)
TS = np.arange(12.0)
RUN = Trajectory(TS, 1 + 2 * np.exp(-0.5 * TS), 0.5 + np.exp(-0.5 * TS))


def accuracies(rng, num_rows=14, num_items=500):
    ts = np.arange(float(num_rows))
    return Trajectory(
        ts,
        rng.binomial(num_items, 0.7 - 0.5 * np.exp(-0.4 * ts)) / num_items,
        kind="accuracy",
        num_items=num_items,
    )


@pytest.fixture(scope="module", name="ahead")
def _ahead():
    return forecast(RUN, 20.0, key=KEY)


@pytest.fixture(scope="module", name="next_round")
def _next_round():
    return forecast(RUN, 13.0, key=KEY)


@pytest.fixture(scope="module", name="alone")
def _alone():
    """Without a verifier."""
    return forecast(RUN.replace(verifier=None), 20.0, key=KEY)


def test_a_clean_exponential_is_continued(ahead):
    truths = {"solver": 1 + 2 * np.exp(-10.0), "verifier": 0.5 + np.exp(-10.0)}
    for name, truth in truths.items():
        predictive = getattr(ahead, name)
        low, high = predictive.interval
        assert low < truth < high
        assert abs(predictive.median - truth) < 0.1 * truth
    assert ahead.gap.interval[0] < 0.5 + np.exp(-10.0) < ahead.gap.interval[1]


def test_the_json_form_is_complete_and_finite(ahead):
    form = ahead.to_dict()
    assert form["horizon"] == 20.0
    assert form["level"] == 0.9
    for name in ("solver", "verifier", "gap"):
        assert set(form[name]) == {"mean", "median", "interval"}
        low, high = form[name]["interval"]
        assert low <= form[name]["median"] <= high
    assert form["advice"] in ("stop", "continue", "cannot tell")
    assert sum(form["weights"].values()) == pytest.approx(1.0)
    json.dumps(form, allow_nan=False)


def test_a_mean_that_a_few_draws_decide_is_withheld():
    tailed = np.append(np.linspace(1.0, 2.0, 999), 1e9)
    form = Predictive.of_draws(tailed, 0.9).to_dict()
    assert form["mean"] is None
    assert "a few draws decide it" in form["reason"]
    assert form["median"] == pytest.approx(1.5, abs=0.01)
    assert Predictive.of_draws(tailed[:-1], 0.9).mean == pytest.approx(1.5)


@pytest.mark.parametrize("level", [0.5, 0.8, 0.9])
def test_an_interval_leaves_as_much_out_on_either_side(level):
    low, high = Predictive.of_draws(np.linspace(0.0, 1.0, 1001), level).interval
    assert (low, 1 - high) == pytest.approx(((1 - level) / 2, (1 - level) / 2))


def test_without_a_verifier_there_is_a_reason(alone):
    form = alone.to_dict()
    assert form["verifier"] is None
    assert form["gap"] is None
    assert "no verifier" in form["reason"]


def test_numbers_of_32_bits_are_written_too():
    options = {"level": 0.9, "epsilon": 0.125, "cost": 0.25, "round_length": 1.0}
    run = Trajectory(TS, 1 + 2 * np.exp(-0.5 * TS))
    short = {name: np.float32(value) for name, value in options.items()}
    form = forecast(run, 20.0, key=jax.random.key(0), **short).to_dict()
    assert json.loads(json.dumps(form, allow_nan=False))["level"] == pytest.approx(0.9)


def test_a_constant_run_stands_still_whatever_the_seed():
    run = Trajectory(TS, np.zeros(12), kind="accuracy")
    for seed in range(3):
        ahead = forecast(run, 15.0, key=jax.random.key(seed))
        assert ahead.warnings == ("the solver stands still: all its measurements are the same",)
        assert ahead.advice.verdict == "stop"
        assert ahead.rounds_left.median is not None


def test_the_same_key_gives_the_same_forecast(next_round):
    assert forecast(RUN, 13.0, key=KEY).to_dict() == next_round.to_dict()


def test_neither_the_unit_of_time_nor_that_of_the_capability_matters(alone):
    scaled = Trajectory(7 + 3 * TS, 5 * np.asarray(RUN.solver))
    there = forecast(scaled, 7 + 60.0, key=KEY)
    np.testing.assert_allclose(there.solver.median, 5 * alone.solver.median, rtol=1e-6)
    np.testing.assert_allclose(
        there.solver.interval, np.multiply(5, alone.solver.interval), rtol=1e-6
    )


def test_accuracies_stay_in_bounds_and_widen_with_the_horizon():
    run = accuracies(np.random.default_rng(3))
    near, far = (forecast(run, h, key=KEY).solver.interval for h in (14.0, 100.0))
    assert 0 <= far[0] < near[0] < near[1] < far[1] <= 1


def test_the_gap_of_accuracies_is_the_verifiers_less_the_solvers():
    """The verifier rose to 0.6 while the solver stayed at 0.3."""
    verifier = np.where(TS == 0, 0.28, 0.6)
    run = Trajectory(TS, np.full(12, 0.3), verifier, kind="accuracy", num_items=900)
    ahead = forecast(run, 13.0, key=KEY)
    apart = ahead.verifier.median - ahead.solver.median
    assert ahead.gap.median == pytest.approx(apart, abs=0.02)
    assert apart > 0.2


def test_certain_accuracies_are_not_a_special_case():
    run = Trajectory(np.arange(6.0), [0.5, 0.9, 1.0, 1.0, 1.0, 1.0], kind="accuracy")
    assert forecast(run, 8.0, key=KEY).solver.median > 0.9


def test_an_average_is_less_noisy_than_one_measurement():
    run = accuracies(np.random.default_rng(3))
    one = forecast_average(run, [14.0], key=KEY).interval
    five = forecast_average(run, [14.0, 14.1, 14.2, 14.3, 14.4], key=KEY).interval
    assert five[1] - five[0] < one[1] - one[0]


def test_a_curve_that_turned_is_said_to_have_turned(shared_data):
    ts, solver = np.loadtxt(
        shared_data / "grpo/no_baseline_lr1.5e-5.csv", delimiter=",", skiprows=1, usecols=(0, 1)
    ).T
    ahead = forecast(
        Trajectory(ts[:10], solver[:10], kind="accuracy", num_items=1024), 95.0, key=KEY
    )
    assert any("past its best" in warning for warning in ahead.warnings)
    assert ahead.advice.verdict != "continue"


def test_a_curve_that_only_gains_is_not_said_to_have_turned(next_round):
    assert not next_round.warnings


def test_a_falling_curve_with_much_to_gain_goes_on_and_a_dear_round_does_not():
    run = Trajectory(TS, 10 * np.exp(-0.1 * TS))
    assert forecast(run, 13.0, key=KEY).advice.verdict == "continue"
    assert forecast(run, 13.0, key=KEY, cost=3.0).advice.verdict == "stop"


def test_rounds_left_grows_as_epsilon_shrinks():
    run = RUN.replace(verifier=None)
    rough, fine = (forecast(run, 13.0, key=KEY, epsilon=e).rounds_left for e in (0.5, 0.001))
    assert rough.median is not None
    assert fine.median is None or fine.median >= rough.median


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"horizon": 11.0}, "horizon must be after"),
        ({"horizon": np.nan}, "horizon must be after"),
        ({"level": 1.0}, "level must lie"),
        ({"epsilon": 0.0}, "epsilon must be above zero"),
        ({"round_length": -1.0}, "round_length must be above zero"),
        ({"cost": np.inf}, "cost must be finite"),
        ({"cost": -0.1}, "cost must be finite and not below zero, got -0.1"),
    ],
)
def test_misuse_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        forecast(RUN, **{"horizon": 20.0, "key": KEY} | changes)


def test_a_random_walk_has_no_limit_to_come_near():
    steps = np.random.default_rng(0).choice([-1.0, 1.0], 14).cumsum()
    run = Trajectory(np.arange(14.0), 10 + steps)
    found = forecast(run, 15.0, key=KEY)
    assert found.weights["random_walk"] > 0.5
    assert found.rounds_left.median is None
    assert found.rounds_left.interval == (None, None)
    assert "random walk, which has no limit" in found.rounds_left.reason
    assert found.advice.verdict == "cannot tell"
    assert found.advice.probability is None
    assert any("neither a limit" in warning for warning in found.warnings)
    json.dumps(found.to_dict(), allow_nan=False)
    # What a round is worth can be told without a limit.
    assert 0 <= forecast(run, 15.0, key=KEY, cost=0.5).advice.probability <= 1


@pytest.mark.parametrize("ts", [[], [30.0, 20.0], [20.0, 20.0], [20.0, np.nan], 20.0])
def test_averages_over_no_times_are_refused(ts):
    with pytest.raises(InputError, match="ts must be one or more finite, increasing times"):
        forecast_average(RUN, ts, key=KEY)


def test_a_verifier_at_zero_withholds_its_own_forecast_alone(alone):
    spent = RUN.replace(verifier=np.append(RUN.verifier[:-1], 0.0))
    form = forecast(spent, 20.0, key=KEY).to_dict()
    assert (form["verifier"], form["gap"]) == (None, None)
    assert "the verifier's is 0 at least once" in form["reason"]
    assert form["reason"] in form["warnings"]
    untouched = alone.to_dict()
    for name in ("solver", "rounds_left", "advice_detail", "weights"):
        assert form[name] == untouched[name]


def test_uncertainties_of_zero_have_no_logarithm():
    run = Trajectory([0.0, 1.0, 2.0], [1.0, 0.5, 0.0])
    with pytest.raises(InputError, match="above zero"):
        forecast(run, 3.0, key=KEY)


@pytest.mark.slow
def test_a_forecast_that_rests_on_few_draws_says_so(monkeypatch):
    sample = forecast_module.sample_futures

    def of_few(*args):
        return sample(*args)._replace(num_effective=12.3)

    assert not any("draws" in warning for warning in forecast(RUN, 13.0, key=KEY).warnings)
    monkeypatch.setattr(forecast_module, "sample_futures", of_few)
    (warning,) = forecast(RUN, 13.0, key=KEY).warnings
    assert "about 12 effective draws: another seed may give other numbers" in warning


def test_a_task_may_be_solved():
    """Error rates that fall exponentially towards zero, of which a third was seen."""
    ts, rng = np.arange(20.0), np.random.default_rng(0)
    held = 0
    for rate in (0.35, 0.5, 0.7):
        measured = rng.binomial(200, 1 - 0.7 * np.exp(-rate * ts)) / 200
        run = Trajectory(ts[:7], measured[:7], kind="accuracy", num_items=200)
        found = forecast(run, 19.0, key=jax.random.key(0))
        low, high = found.solver.interval
        held += low <= measured[-1] <= high
        assert 0 < found.weights["decay_to_zero"] < 1
    assert held == 3
