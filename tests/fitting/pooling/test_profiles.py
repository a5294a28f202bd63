"""Whole profiles against the closed form of least squares, and against a fit's own intervals."""

import jax
import numpy as np
import pytest
from scipy.stats import norm, t

from jaxgap.fitting import EstimatedScale, LinearLaw, StudentT, fit
from jaxgap.fitting.pooling import Profile, profiles_of
from jaxgap.trajectory import Trajectory

TS = np.arange(14.0)
DECAY = np.exp(-0.35 * TS)


@pytest.fixture(scope="module")
def result():
    noise = np.random.default_rng(0).normal(0, 0.02, (2, 14))
    errors = np.full(14, 0.02)
    run = Trajectory(TS, 1 + 2 * DECAY + noise[0], 0.8 + DECAY + noise[1], errors, errors)
    return fit(LinearLaw(), run, level=0.9)


def test_the_profile_passes_through_the_interval_of_the_fit(result):
    quantile = norm.ppf(0.95)
    estimates = {"rate": result.parameters["rate"], "solver": result.limits["solver"]}
    for name, profile in profiles_of(result, list(estimates)).items():
        estimate = estimates[name]
        ends = np.interp([-quantile, 0, quantile], profile.zetas, profile.values)
        low, high = estimate.interval
        np.testing.assert_allclose(ends, [low, estimate.estimate, high], rtol=2e-3)
        assert profile.bounded
        assert profile.dof == np.inf


def test_the_profile_is_the_least_cost_with_the_number_held(result):
    """Against SciPy: the limit of the solver held, everything else free."""
    from scipy.optimize import least_squares

    profile = profiles_of(result, ["solver"])["solver"]
    ys, source = np.asarray(result.source.curves.ys)[:14], result.source

    def cost(limit):
        def residuals(p):
            rate, solver, amplitude, verifier = np.exp(p[0]), limit, p[1], p[2]
            decay = np.exp(-rate * TS)
            fitted = np.stack([solver + amplitude * decay, verifier + p[3] * decay], -1)
            return ((fitted - ys) / 0.02).ravel()

        return 2 * least_squares(residuals, [np.log(0.35), 2.0, 0.8, 1.0], xtol=1e-12).cost

    expected = [np.sqrt(max(cost(v) - float(source.raw.cost), 0)) for v in profile.values]
    np.testing.assert_allclose(np.abs(profile.zetas), expected, atol=0.02)


@pytest.mark.slow
def test_the_likelihood_is_the_same_whether_the_scale_is_a_coordinate_or_not():
    """Student's t of very many degrees of freedom is Gaussian noise with a coordinate for it."""
    noise = np.random.default_rng(1).normal(0, 0.02, 9)
    run = Trajectory(TS[:9], 1 + 2 * DECAY[:9] + noise)
    factored, as_coordinate = (
        profiles_of(fit(LinearLaw(), run, noise=each), ["rate"])["rate"]
        for each in (EstimatedScale(), StudentT(1e7))
    )
    likelihoods = [
        np.interp(factored.values[2:-2], each.values, each.log_likelihood(each.zetas))
        for each in (factored, as_coordinate)
    ]
    assert likelihoods[0].min() < -3
    np.testing.assert_allclose(*likelihoods, atol=0.15)


@pytest.mark.parametrize("noise", [1e-4, 1e-6])
def test_profiles_of_precise_curves_are_as_narrow(noise):
    rng = np.random.default_rng(2)
    run = Trajectory(TS, *(c + noise * rng.normal(size=14) for c in (1 + 2 * DECAY, 0.8 + DECAY)))
    result = fit(LinearLaw(), run)
    for name, estimate in {"solver": result.limits["solver"], **result.parameters}.items():
        profile = profiles_of(result, [name])[name]
        assert profile.bounded, name
        assert estimate.interval[0] > profile.values[0] > estimate.estimate - 100 * noise
        assert estimate.interval[1] < profile.values[-1] < estimate.estimate + 100 * noise


def test_a_run_that_has_not_turned_is_open_on_one_side():
    noise = np.random.default_rng(1).normal(0, 0.02, 14)
    run = Trajectory(TS, 3 - 0.05 * TS + noise)
    profile = profiles_of(fit(LinearLaw(), run), ["solver"])["solver"]
    assert profile.open_below
    assert not profile.bounded
    assert (np.diff(profile.zetas) > 0).all()


def test_an_error_rate_that_may_go_on_falling_is_an_accuracy_that_may_go_on_rising():
    noise = np.random.default_rng(1).normal(0, 0.005, 14)
    run = Trajectory(TS, 0.3 + 0.02 * TS + noise, kind="accuracy")
    profile = profiles_of(fit(LinearLaw(), run), ["solver"])["solver"]
    assert (profile.open_below, profile.open_above) == (False, True)


@pytest.mark.parametrize("dof", [1.0, 5.0, 40.0])
def test_where_a_scale_is_estimated_the_likelihood_is_students(dof):
    zetas = np.linspace(-4, 4, 17)
    found = Profile(zetas, zetas, False, False, dof).log_likelihood(zetas)
    np.testing.assert_allclose(found, t.logpdf(zetas, dof) - t.logpdf(0, dof), atol=1e-12)


def test_accuracies_are_in_their_own_terms():
    noise = np.random.default_rng(2).normal(0, 0.005, 14)
    run = Trajectory(TS, 0.8 - 0.5 * DECAY + noise, kind="accuracy")
    result = fit(LinearLaw(), run)
    profile = profiles_of(result, ["solver", "ratio"])["solver"]
    middle = profile.values[profile.zetas == 0][0]
    assert middle == pytest.approx(result.limits["solver"].estimate)
    assert (np.diff(profile.values) > 0).all()
    assert profile.dof == 14 - 3  # rate, limit and amplitude


def test_what_a_run_cannot_show_is_absent(result):
    alone = fit(LinearLaw(), Trajectory(TS, 1 + DECAY, np.full(14, 0.01) + DECAY / 2))
    assert set(profiles_of(alone, ["ratio"])) == {"ratio"}
    solver_only = fit(LinearLaw(), Trajectory(TS, 1 + 2 * DECAY))
    assert set(profiles_of(solver_only, ["ratio", "rate"])) == {"rate"}
    assert not jax.config.jax_enable_x64


def test_a_constant_added_to_a_curve_moves_its_profile_by_as_much(result):
    trajectory = result.source.curves
    solver, verifier = np.asarray(trajectory.ys)[:14].T
    errors = np.full(14, 0.02)
    moved = fit(LinearLaw(), Trajectory(TS, solver + 800, verifier + 300, errors, errors))
    for name, up in (("solver", 800), ("gap", 500)):
        here, there = (profiles_of(each, ["rate", name])[name] for each in (result, moved))
        width = np.ptp(here.values)
        np.testing.assert_allclose(there.values, here.values + up, atol=1e-3 * width)
        assert there.bounded


def test_a_run_on_a_bound_has_the_profile_of_its_interval():
    """A verifier that does not move: its ratio is on its bound of zero in half of such runs."""
    rng = np.random.default_rng(3)
    noise = 0.05 * rng.standard_normal((2, 10))
    run = Trajectory(TS[:10], 1 + 2 * np.exp(-0.4 * TS[:10]) + noise[0], 0.8 + noise[1])
    result = fit(LinearLaw(), run)
    assert any("on its bound" in remark for remark in result.remarks)
    quantile = result.source.quantile
    for name, profile in profiles_of(result, ["verifier", "gap", "solver"]).items():
        ends = np.interp([-quantile, quantile], profile.zetas, profile.values)
        width = np.ptp(result.limits[name].interval)
        np.testing.assert_allclose(ends, result.limits[name].interval, atol=0.02 * width)
