"""Fits of simulated curves: what is recovered, what is withheld, and what is said."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxgap.dynamics import GapDynamics, LinearPotential, PowerPotential, RankOneCoupling
from jaxgap.fitting import (
    EstimatedScale,
    LevenbergMarquardt,
    LinearLaw,
    PowerLaw,
    Tied,
    fit,
    fit_many,
)
from jaxgap.trajectory import Trajectory

TS = np.linspace(0.0, 9.0, 14)
TRUTH = {
    "rate": 0.4,
    "ratio": 0.3,
    "gap_limit": 0.1,
    "solver_initial": 2.0,
    "verifier_initial": 1.2,
}


def curves(ts, rate=0.4, ratio=0.3, gap_limit=0.1, solver_initial=2.0, verifier_initial=1.2):
    """The closed form in NumPy, in float64 whatever jax's setting."""
    excess = solver_initial - verifier_initial - gap_limit
    fallen = -np.expm1(-rate * (ts - ts[0])) * excess / (1 - ratio)
    return solver_initial - fallen, verifier_initial - ratio * fallen


def noisy(scale=0.01, seed=0, ts=TS, **changes):
    rng = np.random.default_rng(seed)
    return [c + scale * rng.standard_normal(len(ts)) for c in curves(ts, **changes)]


def estimates(result):
    return {name: value.estimate for name, value in (result.parameters | result.limits).items()}


def assert_json_is_clean(result):
    """No NaN, no infinity, and a reason beside every null of a number."""
    form = json.loads(json.dumps(result.to_dict(), allow_nan=False))
    for number in [*form["parameters"].values(), *form["limits"].values()]:
        has_null = None in (number["estimate"], number["stderr"], *(number["interval"] or [None]))
        assert has_null == ("reason" in number)


def test_exact_curves_give_exact_parameters():
    result = fit(LinearLaw(), Trajectory(TS, *curves(TS)))
    for name, value in TRUTH.items():
        np.testing.assert_allclose(result.parameters[name].estimate, value, rtol=1e-8)
    assert result.converged
    assert result.num_agreeing >= 4
    assert_json_is_clean(result)


def test_power_law_is_recovered():
    potential = PowerPotential(rate=0.6, gap_limit=0.05, exponent=2.0)
    remaining = (1 + 0.6 * TS) ** -1.0
    gap = 0.05 + 0.75 * remaining
    solver = 2.0 + (gap - 0.8) / 0.7
    result = fit(PowerLaw(), Trajectory(TS, solver, solver - gap))
    found = {name: value.estimate for name, value in result.parameters.items()}
    assert found["exponent"] == pytest.approx(potential.exponent, rel=1e-5)
    assert found["rate"] == pytest.approx(potential.rate, rel=1e-5)


def test_public_json_form():
    form = fit(LinearLaw(), Trajectory(TS, *noisy())).to_dict()
    assert form["model"] == "linear"
    assert list(form["parameters"]) == list(TRUTH)
    assert list(form["limits"]) == ["solver", "verifier", "gap"]
    assert list(form["r2"]) == ["solver", "verifier", "gap"]
    assert form["converged"] is True
    assert form["num_points"] == 14
    assert form["level"] == 0.9
    expected = {"estimate", "stderr", "interval", "identifiability"}
    assert set(form["parameters"]["rate"]) == expected
    low, high = form["parameters"]["rate"]["interval"]
    assert low < form["parameters"]["rate"]["estimate"] < high


def test_the_fitted_dynamics_are_float64_and_predict_the_curves():
    result = fit(LinearLaw(), Trajectory(TS + 3.0, *noisy()))
    assert isinstance(result.dynamics, GapDynamics)
    assert isinstance(result.dynamics.potential, LinearPotential)
    assert isinstance(result.dynamics.coupling, RankOneCoupling)
    assert result.dynamics.potential.rate.dtype == np.float64
    prediction = result.predict(TS + 3.0)
    fitted = np.asarray(result.source.raw.fitted)[: len(TS)]
    np.testing.assert_allclose(prediction.solver.estimate, fitted[:, 0], rtol=1e-12)
    np.testing.assert_allclose(prediction.gap.estimate, fitted[:, 0] - fitted[:, 1], rtol=1e-9)
    assert (prediction.verifier.lower < prediction.verifier.upper).all()


@settings(deadline=None, max_examples=15)
@given(
    value_scale=st.sampled_from([1e-6, 1e-3, 1.0, 1e6]),
    time_scale=st.sampled_from([1e-3, 1.0, 1e4]),
    up=st.floats(-1e3, 1e3),
    verifier_up=st.floats(-1e3, 1e3),
    t0=st.floats(-100.0, 100.0),
)
def test_units_and_origins_do_not_matter(value_scale, time_scale, up, verifier_up, t0):
    """Each series has an origin of its own, which may be thousands of its ranges away."""
    solver, verifier = noisy()
    reference = fit(LinearLaw(), Trajectory(TS, solver, verifier))
    moved = fit(
        LinearLaw(),
        Trajectory(
            (TS + t0) * time_scale,
            (solver + up) * value_scale,
            (verifier + verifier_up) * value_scale,
        ),
    )
    origins = {"solver": up, "verifier": verifier_up, "gap": up - verifier_up}
    numbers = moved.parameters | moved.limits
    for name, value in (reference.parameters | reference.limits).items():
        unit = 1 / time_scale if name == "rate" else 1.0 if name == "ratio" else value_scale
        origin = origins.get(name.split("_")[0], 0.0)
        expected = (np.array([value.estimate, *value.interval]) + origin) * unit
        found = numbers[name]
        width = expected[2] - expected[1]
        np.testing.assert_allclose(
            [found.estimate, *found.interval], expected, rtol=0, atol=1e-3 * width
        )


def test_solver_only_series_show_what_they_can():
    solver, _ = noisy()
    result = fit(LinearLaw(), Trajectory(TS, solver))
    for name in ("ratio", "gap_limit", "verifier_initial"):
        assert result.parameters[name].estimate is None
        assert result.parameters[name].reason == "the trajectory has no verifier"
    assert result.limits["verifier"].estimate is None
    assert result.r2["gap"] is None
    assert result.limits["solver"].estimate == pytest.approx(2.0 - 0.7 / 0.7, abs=0.03)
    assert result.predict(TS).verifier is None
    assert_json_is_clean(result)


def test_solver_only_fit_is_scipys_exponential():
    from scipy.optimize import curve_fit

    solver, _ = noisy()
    result = fit(LinearLaw(), Trajectory(TS, solver))
    (limit, _, rate), _ = curve_fit(
        lambda t, c, a, k: c + a * np.exp(-k * t), TS, solver, [1, 1, 0.5]
    )
    np.testing.assert_allclose(result.limits["solver"].estimate, limit, rtol=1e-5)
    np.testing.assert_allclose(result.parameters["rate"].estimate, rate, rtol=1e-5)


def test_accuracies_are_fitted_as_error_rates_and_reported_as_accuracies():
    solver, verifier = curves(TS, 0.4, 0.3, 0.05, 0.7, 0.4)
    errors = fit(LinearLaw(), Trajectory(TS, solver, verifier))
    accuracies = fit(LinearLaw(), Trajectory(TS, 1 - solver, 1 - verifier, kind="accuracy"))
    mirrored = ("solver_initial", "verifier_initial", "solver", "verifier")
    for name, value in estimates(errors).items():
        expected = 1 - value if name in mirrored else value
        np.testing.assert_allclose(estimates(accuracies)[name], expected, rtol=1e-7)
    low, high = accuracies.limits["solver"].interval
    assert low <= accuracies.limits["solver"].estimate <= high


def test_known_numbers_of_items_weight_accuracies():
    rng = np.random.default_rng(2)
    n = 400
    rates = [1 - c for c in curves(TS, 0.4, 0.3, 0.05, 0.7, 0.4)]
    solver, verifier = (rng.binomial(n, p) / n for p in rates)
    result = fit(LinearLaw(), Trajectory(TS, solver, verifier, kind="accuracy", num_items=n))
    assert result.diagnostics.reduced_chi_squared == pytest.approx(1.0, abs=0.5)
    assert_json_is_clean(result)


def test_standard_errors_weight_the_fit():
    """One wild point without weight must not matter."""
    solver, verifier = curves(TS)
    solver = solver.copy()
    solver[5] += 1.0
    errors = np.full(len(TS), 0.01)
    wild = errors.copy()
    wild[5] = 1e6
    result = fit(LinearLaw(), Trajectory(TS, solver, verifier, wild, errors))
    np.testing.assert_allclose(result.parameters["rate"].estimate, 0.4, rtol=1e-4)


@pytest.mark.parametrize(
    ("solver_se", "verifier_se", "said"),
    [
        ([0.0, *[0.1] * 13], [0.1] * 14, "1 standard errors of the solver are zero: raised to"),
        ([0.0] * 14, [0.1] * 14, "all standard errors of the solver are zero"),
        ([0.1] * 14, None, "given for the solver only"),
    ],
)
def test_what_is_done_to_weights_is_said(solver_se, verifier_se, said):
    result = fit(LinearLaw(), Trajectory(TS, *noisy(), solver_se, verifier_se))
    assert any(said in warning for warning in result.warnings)


def test_standard_errors_too_small_for_the_residuals_are_noticed():
    result = fit(LinearLaw(), Trajectory(TS, *noisy(0.05), [0.001] * 14, [0.001] * 14))
    assert any("exceed the standard errors" in warning for warning in result.warnings)


def test_a_straight_line_holds_no_limit():
    rng = np.random.default_rng(0)
    solver, verifier = (2 - s * TS + 0.02 * rng.standard_normal(14) for s in (0.1, 0.05))
    result = fit(LinearLaw(), Trajectory(TS, solver, verifier))
    assert result.limits["solver"].estimate is None
    assert result.limits["solver"].interval[0] is None
    assert "do not bound it from below" in result.limits["solver"].reason
    assert_json_is_clean(result)


@pytest.mark.parametrize("kind", ["uncertainty", "accuracy"])
@pytest.mark.parametrize("law", [LinearLaw(), PowerLaw()])
def test_a_run_that_never_moved_has_no_limit(law, kind):
    """Any limit is as good, with a rate that is slow enough: a width of zero would be a lie."""
    result = fit(law, Trajectory(TS, np.full(14, 1.0), np.full(14, 0.5), kind=kind))
    assert result.parameters["solver_initial"].estimate == pytest.approx(1.0)
    for each in (*result.limits.values(), result.parameters["rate"]):
        assert each.estimate is None
        assert each.interval is None
        assert "the curves do not move at all" in each.reason
    assert result.time_left().estimate is None
    assert result.r2["solver"] is None
    assert_json_is_clean(result)


@pytest.mark.slow
def test_counts_say_where_a_run_that_never_moved_is_but_not_where_it_goes():
    run = Trajectory(TS, np.full(14, 0.5), kind="accuracy", num_items=100)
    result = fit(LinearLaw(), run)
    low, high = result.parameters["solver_initial"].interval
    assert 0.3 < low < 0.48 < 0.52 < high < 0.7
    assert result.limits["solver"].interval is None
    assert "their limit may be anywhere" in result.limits["solver"].reason


def test_counts_that_the_noise_does_not_use_say_nothing():
    still = {"ts": TS, "solver": np.full(14, 0.5), "kind": "accuracy"}
    counted = fit(LinearLaw(), Trajectory(**still, num_items=100), noise=EstimatedScale())
    assert counted.parameters == fit(LinearLaw(), Trajectory(**still)).parameters
    assert counted.parameters["solver_initial"].interval is None


def test_round_off_is_not_judged():
    decay = np.exp(-0.3 * TS)
    result = fit(LinearLaw(), Trajectory(TS, 1 + 3 * decay, 0.8 + decay))
    assert result.diagnostics.autocorrelation == {"solver": None, "verifier": None}
    assert not result.warnings


def test_an_accuracy_begins_between_none_and_all():
    accuracy = 0.3 - 0.28 * np.exp(-0.6 * TS)
    noise = 0.04 * np.random.default_rng(2).standard_normal(14)
    run = Trajectory(TS, np.maximum(accuracy + noise, 0.0), kind="accuracy")
    initial = fit(LinearLaw(), run).parameters["solver_initial"]
    assert initial.interval[0] == 0.0


def test_a_rising_run_is_fitted():
    result = fit(LinearLaw(), Trajectory(TS, *noisy(0.01, gap_limit=1.5)))
    assert result.parameters["gap_limit"].estimate == pytest.approx(1.5, abs=0.1)
    assert result.limits["solver"].estimate > 2.0


def test_a_verifier_that_worsens_puts_the_ratio_on_its_bound():
    solver, _ = noisy()
    result = fit(LinearLaw(), Trajectory(TS, solver, 1.0 + 0.02 * TS))
    assert result.parameters["ratio"].stderr is None
    assert "ratio is on its bound 0" in result.warnings
    assert result.parameters["ratio"].estimate == pytest.approx(0.0, abs=1e-3)
    assert_json_is_clean(result)


def test_a_verifier_as_fast_as_the_solver_puts_the_ratio_on_its_bound():
    noise = 0.01 * np.random.default_rng(0).standard_normal((2, 14))
    decay = np.exp(-0.4 * TS)
    result = fit(LinearLaw(), Trajectory(TS, 3 + decay + noise[0], 1 + 2 * decay + noise[1]))
    assert any(
        "ratio is on its bound 0.999: the verifier moves as fast as the solver" in warning
        for warning in result.warnings
    )
    assert result.parameters["ratio"].identifiability == "practically unidentifiable"
    assert all(value.stderr != 0.0 for value in result.parameters.values())
    assert_json_is_clean(result)


def test_a_fit_that_failed_has_clean_json():
    constraints = {"rate": Tied("solver_initial", lambda value: np.nan * value)}
    result = fit(LinearLaw(), Trajectory(TS, *noisy()), constraints=constraints)
    assert not result.converged
    assert result.r2["solver"] is None
    assert result.criteria.to_dict()["reason"] == "the fit failed: it has no likelihood"
    assert_json_is_clean(result)
    assert "failed: no start gave finite curves" in result.stopped
    assert "cannot be given: the fit failed: no start gave finite curves." in result.report()


def test_a_fit_that_stopped_short_gives_neither_limits_nor_intervals():
    """Where it stands is no minimum, and what is read off there means nothing."""
    short = LevenbergMarquardt(max_steps=1)
    result = fit(LinearLaw(), Trajectory(TS, *noisy()), minimiser=short)
    assert not result.converged
    assert all(limit.estimate is None for limit in result.limits.values())
    numbers = [*result.parameters.values(), *result.limits.values()]
    assert all(each.interval is None for each in numbers)
    assert all("stopped before a minimum" in each.reason for each in numbers)
    assert_json_is_clean(result)


def test_three_rows_of_a_solver_leave_nothing_for_the_noise():
    result = fit(LinearLaw(), Trajectory([0, 1, 2], [3.0, 2.0, 1.5]))
    assert result.parameters["rate"].estimate == pytest.approx(np.log(2), rel=1e-6)
    assert result.parameters["rate"].interval is None
    assert "nothing is left" in result.parameters["rate"].reason
    assert any("leave hardly anything" in warning for warning in result.warnings)
    assert np.isinf(result.predict([5.0]).solver.upper).all()
    assert_json_is_clean(result)


def test_impossible_limits_are_pointed_out():
    result = fit(LinearLaw(), Trajectory(TS, *(c - 1.2 for c in curves(TS))))
    assert any("below zero" in warning for warning in result.warnings)


# No number so small that it is refused.
CAPABILITY = st.floats(-1e3, 1e3).map(lambda value: round(value, 12))


@settings(deadline=None, max_examples=12)
@given(values=st.lists(st.tuples(CAPABILITY, CAPABILITY), min_size=3, max_size=16))
def test_any_curves_give_clean_json(values):
    solver, verifier = zip(*values, strict=True)
    assert_json_is_clean(fit(LinearLaw(), Trajectory(range(len(values)), solver, verifier)))


def test_many_fits_are_the_single_fits():
    runs = [Trajectory(TS, *noisy(seed=seed)) for seed in range(3)]
    runs.insert(1, Trajectory(TS, noisy()[0]))
    runs.append(Trajectory(np.arange(20.0), *noisy(ts=np.arange(20.0))))
    for result, run in zip(fit_many(LinearLaw(), runs), runs, strict=True):
        assert result.to_dict() == fit(LinearLaw(), run).to_dict()


def test_no_runs_no_results():
    assert fit_many(LinearLaw(), []) == []


@pytest.mark.parametrize("level", [0.0, 1.0, -1, 90])
def test_levels_outside_the_unit_interval_are_refused(level):
    with pytest.raises(ValueError, match="level must lie between 0 and 1"):
        fit(LinearLaw(), Trajectory(TS, *noisy()), level=level)


@pytest.mark.parametrize(
    ("ts", "match"),
    [
        ([-1.0], "not before the first measured time 0"),
        (3.0, "list of times"),
        ([np.nan], "finite"),
    ],
)
def test_predictions_at_impossible_times_are_refused(ts, match):
    with pytest.raises(ValueError, match=match):
        fit(LinearLaw(), Trajectory(TS, *noisy())).predict(ts)
