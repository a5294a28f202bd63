"""Interval ends against SciPy's constrained fits, and how often they hold the truth."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import approx_fprime, brentq, least_squares, minimize_scalar
from scipy.special import stdtrit
from scipy.stats import binom

from jaxgap.fitting import LinearLaw, RiseThenFallLaw, fit, fit_many
from jaxgap.trajectory import Trajectory

STUDY = Path(__file__).resolve().parents[3] / "experiments" / "coverage_study.py"


@pytest.fixture(scope="module", name="study")
def _study():
    spec = importlib.util.spec_from_file_location("coverage_study", STUDY)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module", name="run")
def _run():
    rng = np.random.default_rng(5)
    ts = np.linspace(0.0, 4.0, 12)
    decay = np.exp(-0.5 * ts)
    noise = 0.02 * rng.standard_normal((2, 12))
    return Trajectory(ts, 0.2 + 0.8 * decay + noise[0], 0.1 + 0.4 * decay + noise[1])


def curves(p, ts):
    """The paper's closed form, in its own words: p = U_s_inf, U_v_inf, A, B, kappa."""
    decay = np.exp(-p[4] * ts)
    return p[0] + p[2] * decay, p[1] + p[3] * decay


def profile_cost(run, which, value):
    """The least squared error with one of p held, by SciPy."""
    start = np.delete([0.2, 0.1, 0.8, 0.4, 0.5], which)

    def residuals(free):
        solver, verifier = curves(np.insert(free, which, value), run.ts)
        return np.concatenate([solver - run.solver, verifier - run.verifier])

    return 2 * least_squares(residuals, start, xtol=1e-14, ftol=1e-14, gtol=1e-14).cost


@pytest.mark.parametrize(
    ("which", "group", "name"), [(0, "limits", "solver"), (4, "parameters", "rate")]
)
def test_interval_ends_are_where_scipys_profile_says(run, which, group, name):
    result = fit(LinearLaw(), run)
    estimate = getattr(result, group)[name]
    best = profile_cost(run, which, estimate.estimate)
    variance = best / (24 - 5)

    def beyond(value):
        return np.sqrt(max(profile_cost(run, which, value) - best, 0) / variance) - stdtrit(
            19, 0.95
        )

    width = estimate.interval[1] - estimate.interval[0]
    low = brentq(beyond, estimate.estimate - 2 * width, estimate.estimate)
    high = brentq(beyond, estimate.estimate, estimate.estimate + 2 * width)
    np.testing.assert_allclose(estimate.interval, [low, high], atol=2e-5 * width)


@pytest.mark.parametrize("seed", [16, 26, 35])
def test_the_one_end_of_a_limit_whose_best_fit_is_a_straight_line(seed):
    """Given limit and rate the law is linear, so that the profile is a search over the rate."""
    ts = np.linspace(0.0, 1.0, 8)
    noise = 0.02 * np.random.default_rng(seed).standard_normal((2, 8))
    fall = -np.expm1(-0.5 * ts)
    solver, verifier = 1 - fall + noise[0], 0.5 - 0.5 * fall + noise[1]
    result = fit(LinearLaw(), Trajectory(ts, solver, verifier))
    low, high = result.limits["solver"].interval

    def left_over(basis, y):
        return ((y - basis @ np.linalg.lstsq(basis, y, rcond=None)[0]) ** 2).sum()

    def profile(limit):
        def cost(log_rate):
            decay = np.exp(-np.exp(log_rate) * ts)
            level = np.stack([np.ones_like(ts), decay], axis=1)
            return left_over(decay[:, None], solver - limit) + left_over(level, verifier)

        near = min(np.linspace(-12, 3, 400), key=cost)
        return minimize_scalar(cost, bracket=(near - 0.05, near + 0.05), tol=1e-12).fun

    line = np.stack([np.ones_like(ts), ts], axis=1)
    least = left_over(line, solver) + left_over(line, verifier)
    quantile = stdtrit(11, 0.95)
    assert low is None
    assert np.sqrt((profile(high) - least) / (least / 11)) == pytest.approx(quantile, rel=0.005)


def test_standard_errors_are_scipys(run):
    result = fit(LinearLaw(), run)

    def residuals(p):
        return np.concatenate(np.subtract(curves(p, run.ts), [run.solver, run.verifier]))

    solution = least_squares(residuals, [0.2, 0.1, 0.8, 0.4, 0.5], xtol=1e-14, ftol=1e-14)
    covariance = np.linalg.inv(solution.jac.T @ solution.jac) * 2 * solution.cost / 19
    stderrs = np.sqrt(np.diag(covariance))
    found = [result.limits["solver"], result.limits["verifier"], result.parameters["rate"]]
    np.testing.assert_allclose([e.stderr for e in found], stderrs[[0, 1, 4]], rtol=1e-4)
    rate_and_initial = lambda p: np.array([p[4], curves(p, run.ts[:1])[0][0]])  # noqa: E731
    slopes = approx_fprime(solution.x, rate_and_initial, 1e-6)
    expected = slopes @ covariance @ slopes.T
    names = ("rate", "solver_initial")
    for i, j in [(0, 0), (0, 1), (1, 1)]:
        found_ij = result.covariance[names[i], names[j]]
        assert found_ij == pytest.approx(expected[i, j], rel=1e-3)


def test_correlations_are_in_the_terms_of_accuracies(run):
    mirrored = Trajectory(run.ts, 1 - run.solver, 1 - run.verifier, kind="accuracy")
    of_errors, of_accuracies = (fit(LinearLaw(), each).correlations for each in (run, mirrored))
    initial = ("solver_initial", "verifier_initial")
    assert len(of_accuracies) == len(of_errors) > 3
    for pair, expected in of_errors.items():
        sign = -1 if len(set(pair) & set(initial)) == 1 else 1
        assert of_accuracies[pair] == pytest.approx(sign * expected, abs=1e-4)


def test_intervals_from_the_covariance_hold_the_truth(study):
    """Where nearly all of the decay is seen; the bounds leave one chance in a thousand."""
    design = study.Design(12, 0.02, 0.95, False)
    drawn = [study.draw(design, np.random.default_rng([7, n])) for n in range(100)]
    results = fit_many(LinearLaw(), [run for _, run in drawn])
    held = 0
    for (truth, _), result in zip(drawn, results, strict=True):
        reach = result.source.quantile * np.sqrt(result.covariance["rate", "rate"])
        held += abs(result.parameters["rate"].estimate - truth.rate) <= reach
    low, high = binom.ppf([0.0005, 0.9995], 100, 0.9)
    assert low <= held <= high


def test_a_higher_level_gives_wider_intervals(run):
    narrow, wide = fit(LinearLaw(), run, level=0.5), fit(LinearLaw(), run, level=0.99)
    for name, estimate in narrow.parameters.items():
        low, high = wide.parameters[name].interval
        assert low < estimate.interval[0] < estimate.estimate < estimate.interval[1] < high


@pytest.mark.parametrize("decay_seen", [0.4, 0.95])
def test_bands_at_the_end_of_time_are_the_limit(study, decay_seen):
    design = study.Design(20, 0.01, decay_seen, False)
    _, run = study.draw(design, np.random.default_rng(3))
    result = fit(LinearLaw(), run)
    limit = result.limits["solver"]
    late = result.predict([50 / result.parameters["rate"].interval[0]]).solver
    np.testing.assert_allclose([late.lower[0], late.upper[0]], limit.interval, rtol=2e-3)


def test_bands_hold_the_curve_ahead(study):
    """At half as far ahead again; the bounds leave one chance in a thousand."""
    design = study.Design(12, 0.02, 0.95, False)
    drawn = [study.draw(design, np.random.default_rng([8, n])) for n in range(100)]
    results = fit_many(LinearLaw(), [run for _, run in drawn])
    held = 0
    for (truth, run), result in zip(drawn, results, strict=True):
        horizon = 1.5 * run.ts[-1]
        limit = truth.limits()["solver"]
        there = limit + (truth.solver_initial - limit) * np.exp(-truth.rate * horizon)
        band = result.predict([horizon]).solver
        held += band.lower[0] <= there <= band.upper[0]
    low, high = binom.ppf([0.0005, 0.9995], 100, 0.9)
    assert low <= held <= high


def test_coverage_on_a_few_designs(study):
    """A small, seeded part of the study; the bounds leave one chance in a thousand to bad luck."""
    grid = [study.Design(8, 0.02, 0.4, False), study.Design(12, 0.02, 0.95, True)]
    found = study.run(LinearLaw(), 60, 1, grid)
    low, high = binom.ppf([0.0005, 0.9995], 120, 0.9) / 120
    for name, coverage in found["coverage"]["all"].items():
        assert low <= coverage <= high, name


@pytest.mark.slow
def test_coverage_over_the_whole_grid(study):
    found = study.run(LinearLaw(), 40, 20261124, study.designs())
    assert found["num_curves"] >= 500
    for name, coverage in found["coverage"]["all"].items():
        assert 0.85 <= coverage <= 0.95, name


@pytest.mark.parametrize("num_items", [None, 1024])
def test_a_run_that_jumps_at_once_has_the_limit_of_its_mean(num_items):
    """Its rate has run to infinity, which is not to hold the other numbers where they are."""
    scatter = np.random.default_rng(0).binomial(1024, 0.3, 24) / 1024
    run = Trajectory(
        4.0 * np.arange(25), np.append(0.03, scatter), kind="accuracy", num_items=num_items
    )
    result = fit(LinearLaw(), run, level=0.9)
    assert result.converged
    assert result.parameters["rate"].interval[1] is None
    limit = result.limits["solver"]
    assert limit.estimate == pytest.approx(scatter.mean(), abs=1e-4)
    half = 1.645 * np.sqrt(0.3 * 0.7 / 1024 / 24)
    np.testing.assert_allclose(np.abs(np.subtract(limit.interval, limit.estimate)), half, rtol=0.3)


@pytest.mark.parametrize("which", [6, 9])
def test_a_parameter_on_its_bound_does_not_close_the_intervals_of_the_others(which):
    # Erosion is on its bound, towards a loss so great that their product is a slope.
    rng = np.random.default_rng(0)
    ts = np.arange(14.0)
    gained, lost = np.exp(-0.8 * ts), -np.expm1(-0.08 * ts)
    for _ in range(which + 1):
        noise = 0.02 * np.stack([rng.normal(size=14), rng.normal(size=14)])
    solver = 1.0 + 2.0 * gained + 0.5 * lost + noise[0]
    verifier = 0.7 + 1.0 * gained + 0.25 * lost + noise[1]
    result = fit(RiseThenFallLaw(), Trajectory(ts, solver, verifier))
    assert result.parameters["erosion"].estimate < 1e-4
    for name in ("rate", "ratio", "solver_initial", "verifier_initial"):
        number = result.parameters[name]
        low, high = number.interval
        assert number.estimate - low > 0.5 * number.stderr
        assert high - number.estimate > 0.5 * number.stderr
    # The truth is 0.08.
    low, high = result.parameters["erosion"].interval
    assert low == 0
    assert 0.08 < high < 0.3


@pytest.mark.parametrize("value", [0.0, 0.25])
@pytest.mark.parametrize("num_items", [20, 1000, 8000, 20000])
def test_answers_that_never_change_hold_no_limit_as_they_hold_no_rate(num_items, value):
    run = Trajectory(np.arange(12.0), np.full(12, value), kind="accuracy", num_items=num_items)
    result = fit(LinearLaw(), run)
    assert result.parameters["rate"].interval == (0.0, None)
    for limit in (result.limits["solver"], result.limits["gap"]):
        assert limit.estimate is None
        assert limit.interval is None
    assert "their limit may be anywhere" in result.limits["solver"].reason


def test_a_run_that_is_at_its_limit_from_the_second_row_on_has_a_rate_of_at_least_so_much():
    run = Trajectory(np.arange(10.0), np.append(0.536, np.ones(9)), kind="accuracy")
    result = fit(LinearLaw(), run)
    # A rate of ten would miss the second row by 2e-5, where all rows are repeated exactly.
    low, high = result.parameters["rate"].interval
    assert low > 10
    assert high is None
    left = result.time_left(0.01)
    assert (left.estimate, left.interval) == (0.0, (0.0, 0.0))


def squares_with_limit_at(ts, values, limit):
    """The least squared error of exponentials that decay to `limit`, whatever the rate."""
    decays = np.exp(-np.geomspace(1e-4, 400.0, 2000)[:, None] * ts / ts[-1])
    gains = decays @ (values - limit) / (decays**2).sum(1)
    return ((limit + gains[:, None] * decays - values) ** 2).sum(1).min()


@pytest.mark.parametrize(
    "values",
    [
        [2.2433, 0.7839, 1.381, 1.3726, 0.9184, 0.9934],
        [2.0028, 0.8472, 1.0321, 1.0624, 1.5508, 1.5227],
        [1.6986, 0.7776, 0.7048, 1.0, 1.1662, 1.2918],
        [2.0, 1.37, 1.13, 1.06, 1.01, 1.02],
        # The slow decline's limit is near the plateau, but may go anywhere.
        [0.2581, 0.2731, 0.2770, 0.2644, 0.2628],
        [2.2609, 1.2775, 1.4408, 1.3317, 1.2725],
        [2.1261, 0.9892, 1.1043, 0.7684, 1.1929, 1.0348],
    ],
)
def test_a_slow_rate_that_fits_as_well_widens_the_limit_of_a_fast_one(values):
    # All but the fourth fit best as a jump to a plateau, nearly as well as a slow decline.
    ts, values = np.arange(float(len(values))), np.array(values)
    free = len(values) - 3
    result = fit(LinearLaw(), Trajectory(ts, values))
    variance = np.sum((result.source.raw.fitted[: len(values), 0] - values) ** 2) / free
    most = free * variance + stdtrit(free, 0.95) ** 2 * variance
    span = np.ptp(values)
    for end, side in zip(result.limits["solver"].interval, (-1, 1), strict=True):
        if end is None:
            assert squares_with_limit_at(ts, values, values[0] + side * 50 * span) < most
        else:
            assert squares_with_limit_at(ts, values, end - side * 0.02 * span) < most
            assert squares_with_limit_at(ts, values, end + side * 0.02 * span) > most


def test_a_rate_that_may_be_infinite_has_the_lower_end_that_its_squares_say():
    """From a best fit of 40 it is next to zero, and a spring as soft as that distance gives way."""
    ts, values = np.arange(5.0), np.array([0.361, 0.519, 0.502, 0.511, 0.531])
    result = fit(LinearLaw(), Trajectory(ts, values, kind="accuracy"), level=0.9)

    def squares(rate):
        basis = np.stack([np.ones_like(ts), np.exp(-rate * ts)], axis=1)
        return ((basis @ np.linalg.lstsq(basis, values, rcond=None)[0] - values) ** 2).sum()

    least = squares(100.0)
    low, high = result.parameters["rate"].interval
    assert high is None
    assert low == pytest.approx(
        brentq(lambda r: squares(r) - least * (1 + stdtrit(2, 0.95) ** 2 / 2), 0.1, 5), rel=0.1
    )
