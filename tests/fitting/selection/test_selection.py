"""Choosing among laws: criteria, held-out scores, confidence curves, and their average."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.optimize import curve_fit
from scipy.stats import norm
from scipy.stats import t as student

from jaxgap.errors import InputError
from jaxgap.fitting import LinearLaw, PowerLaw, fit
from jaxgap.fitting.results.criteria import Criteria, criteria_of_fit
from jaxgap.fitting.selection import (
    ConfidenceCurve,
    average,
    fit_auto,
    fit_auto_many,
    law_weights,
)
from jaxgap.fitting.selection.averaged import averaged_estimate
from jaxgap.fitting.selection.candidates import fit_candidates
from jaxgap.fitting.selection.rolling import origins
from jaxgap.trajectory import Trajectory

LAWS = (LinearLaw(), PowerLaw())
TS = np.linspace(0.0, 9.0, 14)


def linear_run(seed=1, scale=0.01, ts=TS):
    decay = np.exp(-0.5 * ts)
    noise = scale * np.random.default_rng(seed).standard_normal((2, len(ts)))
    return Trajectory(ts, 0.2 + 0.8 * decay + noise[0], 0.1 + 0.4 * decay + noise[1])


def power_run(seed=0, scale=0.002):
    decay = (1 + TS) ** -1.0
    noise = scale * np.random.default_rng(seed).standard_normal((2, len(TS)))
    return Trajectory(TS, 0.2 + 0.8 * decay + noise[0], 0.1 + 0.4 * decay + noise[1])


@pytest.fixture(scope="module", name="results")
def _results():
    alone = Trajectory(TS, linear_run().solver)
    return fit_auto_many([linear_run(), power_run(), alone], laws=LAWS)


def test_the_best_fits_are_those_of_fit():
    (candidates,) = fit_candidates(LAWS, [linear_run()])
    for law, candidate in zip(LAWS, candidates, strict=True):
        expected = float(fit(law, linear_run()).source.raw.cost)
        np.testing.assert_allclose(candidate.fit.cost[0], expected, rtol=1e-6)


def test_criteria_are_those_of_the_normal_likelihood():
    run = linear_run()
    result = fit(LinearLaw(), run)
    fitted = np.asarray(result.source.raw.fitted)[:14]
    errors = (np.stack([run.solver, run.verifier], 1) - fitted).ravel()
    log_likelihood = norm.logpdf(errors, scale=np.sqrt(np.mean(errors**2))).sum()
    found = result.criteria
    np.testing.assert_allclose(found.log_likelihood, log_likelihood, rtol=1e-9)
    assert found.num_parameters == 6
    np.testing.assert_allclose(found.aicc, -2 * log_likelihood + 12 + 2 * 6 * 7 / 21)
    np.testing.assert_allclose(found.bic, -2 * log_likelihood + 6 * np.log(28))


def test_given_errors_are_no_parameter_and_enter_the_likelihood():
    plain = linear_run()
    errors = np.full(14, 0.01)
    result = fit(LinearLaw(), Trajectory(TS, plain.solver, plain.verifier, errors, errors))
    fitted = np.asarray(result.source.raw.fitted)[:14]
    expected = norm.logpdf(np.stack([plain.solver, plain.verifier], 1) - fitted, scale=0.01).sum()
    np.testing.assert_allclose(result.criteria.log_likelihood, expected, rtol=1e-9)
    assert result.criteria.num_parameters == 5
    few = criteria_of_fit(result.source.curves, 1.0, 27)
    assert few.finite_aicc is None
    assert "too few measurements" in few.to_dict()["reason"]


def test_held_out_scores_are_students_t_about_scipys_refit():
    """One step ahead, for the exponential of a solver alone, by SciPy's fit and covariance."""
    run = Trajectory(TS, linear_run().solver)
    ((candidate,),) = fit_candidates(LAWS[:1], [run])
    for score, num_rows in zip(candidate.scores.one_ahead, origins(14, 1, 3), strict=True):
        ts, solver = TS[:num_rows], run.solver[:num_rows]

        def curve(t, limit, way, rate):
            return limit + way * np.exp(-rate * t)

        best, covariance = curve_fit(curve, ts, solver, [0.2, 0.8, 0.5])
        variance = ((solver - curve(ts, *best)) ** 2).sum() / (num_rows - 3)
        t, step = TS[num_rows], 1e-6
        slope = [
            (curve(t, *(best + step * e)) - curve(t, *(best - step * e))) / (2 * step)
            for e in np.eye(3)
        ]
        scale = np.sqrt(variance + slope @ covariance @ slope)
        expected = student.logpdf(run.solver[num_rows], num_rows - 3, curve(t, *best), scale)
        np.testing.assert_allclose(score, expected, atol=0.02)


def test_origins_leave_rows_on_both_sides():
    assert origins(14, 2, 8) == [7, 8, 10, 12, 13]
    assert origins(6, 1, 5) == []
    assert origins(6, 2, 8) == [5]
    assert all(3 <= n < 40 for n in origins(40, 1, 4))


def test_averaging_one_curve_gives_its_own_interval():
    grid = np.linspace(-4, 4, 17)
    alone = average([ConfidenceCurve(grid, grid, np.inf)], [1.0], np.array([0.05, 0.5, 0.95]))
    np.testing.assert_allclose(alone, norm.ppf([0.05, 0.5, 0.95]), atol=1e-6)


def test_an_average_of_two_normals_is_that_of_their_distributions():
    near, far = np.linspace(-6, 6, 25), np.linspace(-8, 16, 25)
    curves = [ConfidenceCurve(near, near, np.inf), ConfidenceCurve(far, (far - 4) / 2, np.inf)]
    low, high = average(curves, [0.7, 0.3], np.array([0.05, 0.95]))
    for end, level in ((low, 0.05), (high, 0.95)):
        reached = 0.7 * norm.cdf(end) + 0.3 * norm.cdf((end - 4) / 2)
        assert reached == pytest.approx(level, abs=2e-4)


@pytest.mark.parametrize("mirrored", [False, True])
def test_the_standard_error_of_one_normal_law_is_its_own(mirrored):
    roots = np.linspace(-5, 5, 41)
    curve = ConfidenceCurve(0.4 + 0.1 * roots, roots, np.inf)
    found = averaged_estimate([curve], [1.0], 0.9, mirrored=mirrored, most=np.inf)
    assert found.estimate == pytest.approx(0.6 if mirrored else 0.4)
    assert found.stderr == pytest.approx(0.1, rel=1e-3)


def test_a_law_without_a_bound_opens_the_average_as_far_as_it_counts():
    closed = ConfidenceCurve(np.linspace(-4, 4, 17), np.linspace(-4, 4, 17), np.inf)
    flat = ConfidenceCurve(np.array([-50.0, 0.0, 4.0]), np.array([-0.5, 0.0, 4.0]), np.inf)
    asked = np.array([0.05, 0.95])
    low, high = average([closed, flat], [0.5, 0.5], asked)
    assert low == -np.inf
    assert np.isfinite(high)
    assert np.isfinite(average([closed, flat], [0.95, 0.05], asked)).all()


def test_each_law_alone_has_the_interval_of_its_fit(results):
    expected = fit(LinearLaw(), linear_run()).limits
    for name, limit in results[0].laws["linear"].limits.items():
        low, high = expected[name].interval
        np.testing.assert_allclose(limit.interval, (low, high), atol=0.02 * (high - low))
        np.testing.assert_allclose(limit.estimate, expected[name].estimate, rtol=1e-5)


def test_the_odds_of_two_laws_are_their_likelihood_ratio_over_e_for_each_parameter_more():
    candidates = [
        SimpleNamespace(criteria=Criteria(log_likelihood, num_parameters, 0.0, 0.0))
        for log_likelihood, num_parameters in ((-10.0, 4), (-9.5, 6))
    ]
    small, large = law_weights(candidates)
    assert small / large == pytest.approx(np.exp(-0.5 + 2))


def test_weights_go_to_the_law_that_is_true(results):
    for result in results:
        assert sum(result.weights.values()) == pytest.approx(1.0)
    assert results[1].best == "power"
    assert results[1].weights["power"] > 0.99
    low, high = results[0].limits["solver"].interval
    assert low < 0.2 < high


@pytest.mark.slow
def test_weights_go_to_the_smaller_of_two_true_laws_on_average():
    """An exponential is a power law with q = 1, on whose bound half of the likelihood ratios are
    zero and the others chi-squared: 1 / (1 + exp(x / 2 - 1)) is 0.68 on average."""
    found = fit_candidates(LAWS, [linear_run(seed) for seed in range(32)])
    weights = np.mean([law_weights(candidates) for candidates in found], axis=0)
    ratios = np.maximum(np.random.default_rng(0).standard_normal(100_000), 0.0) ** 2
    assert weights[0] == pytest.approx(np.mean(1 / (1 + np.exp(ratios / 2 - 1))), abs=0.09)


def test_the_public_form_is_that_of_a_fit(results):
    form = json.loads(json.dumps(results[0].to_dict(), allow_nan=False))
    one_law = fit(LinearLaw(), linear_run()).to_dict()
    assert form["model"] == "auto"
    assert set(form["parameters"]) == set(one_law["parameters"])
    assert set(one_law) - set(form) == {"num_starts", "num_agreeing", "criteria", "time_left"}
    for number in (*form["parameters"].values(), *form["limits"].values()):
        has_null = None in (number["estimate"], number["stderr"], *(number["interval"] or [None]))
        assert has_null == ("reason" in number)
    assert set(form["laws"]) == {"linear", "power"}
    assert form["laws"]["linear"]["to_end"] > form["laws"]["linear"]["one_ahead"] - 5


def test_a_solver_alone_has_its_limit_only(results):
    alone = results[2]
    assert alone.limits["solver"].estimate == pytest.approx(0.2, abs=0.02)
    assert alone.limits["gap"].reason == "the trajectory has no verifier"
    assert alone.predict([10.0]).gap is None
    assert alone.parameters["verifier_initial"].estimate is None


@pytest.mark.slow
def test_predictions_run_into_the_limit(results):
    result = results[0]
    prediction = result.predict([500.0, 0.0])
    limit, first = result.limits["solver"], result.parameters["solver_initial"]
    np.testing.assert_allclose(prediction.solver.estimate, [limit.estimate, first.estimate])
    np.testing.assert_allclose(prediction.solver.lower[0], limit.interval[0], rtol=1e-3)
    with pytest.raises(ValueError, match="not before the first measured time 0"):
        result.predict([-1.0])


def test_a_constant_added_to_a_curve_moves_its_limit_by_as_much():
    run = linear_run()
    moved = Trajectory(TS, run.solver + 800, run.verifier + 300)
    here, there = fit_auto_many([run, moved], laws=LAWS)
    for name, up in (("solver", 800), ("verifier", 300), ("gap", 500)):
        low, high = here.limits[name].interval
        np.testing.assert_allclose(
            there.limits[name].interval, (low + up, high + up), atol=1e-3 * (high - low)
        )


def test_counts_are_said_to_be_weighed_as_gaussian():
    run = linear_run()
    counts = np.round(400 * np.stack([1 - 0.9 * run.solver, 1 - 0.9 * run.verifier])) / 400
    errors = np.full(14, 0.01)
    gaussian = Trajectory(TS, *counts, errors, errors, kind="accuracy")
    binomial = Trajectory(TS, *counts, kind="accuracy", num_items=400)
    said = [
        [remark for remark in result.remarks if "counts' standard errors" in remark]
        for result in fit_auto_many([gaussian, binomial], laws=LAWS)
    ]
    assert [len(remarks) for remarks in said] == [0, 1]


def test_accuracies_are_averaged_as_error_rates():
    run = linear_run()
    errors = Trajectory(TS, 0.9 * run.solver, 0.9 * run.verifier)
    accuracies = Trajectory(TS, 1 - errors.solver, 1 - errors.verifier, kind="accuracy")
    errors, found = fit_auto_many([errors, accuracies], laws=LAWS)
    low, high = errors.limits["solver"].interval
    np.testing.assert_allclose(found.limits["solver"].interval, (1 - high, 1 - low), rtol=1e-6)
    np.testing.assert_allclose(found.limits["gap"].interval, errors.limits["gap"].interval)


def test_three_rows_hold_no_limit():
    result = fit_auto(Trajectory([0, 1, 2], [3.0, 2.0, 1.5]), laws=LAWS)
    assert result.limits["solver"].estimate is None
    assert result.weights == {"linear": 1.0}
    assert any("enough measurements for one law" in warning for warning in result.warnings)
    json.dumps(result.to_dict(), allow_nan=False)
    # The exponential through all three, and no word of how sure it is.
    band = result.predict([0.0, 2.0, 3.0]).solver
    np.testing.assert_allclose(band.estimate, [3.0, 1.5, 1.25], rtol=1e-6)
    assert np.isneginf(band.lower).all()
    assert np.isposinf(band.upper).all()


def test_a_report_reads_like_one(results):
    text = results[0].report()
    for part in ("An average over 2 laws", "Limits", "held-out log scores", "identifiable"):
        assert part in text
    text = fit(LinearLaw(), linear_run(ts=TS / 6)).report()
    for part in ("The linear law on 14 rows", "AICc", "Tests", "constant ratio", "Correlations"):
        assert part in text


def test_what_cannot_be_averaged_is_refused():
    with pytest.raises(ValueError, match="level must lie between 0 and 1, got 2"):
        fit_auto(linear_run(), level=2)
    with pytest.raises(ValueError, match="at least one law"):
        fit_auto(linear_run(), laws=())
    with pytest.raises(InputError, match="times span 2e-310: use another unit"):
        fit_auto(Trajectory([0, 1e-310, 2e-310], [3.0, 2.0, 1.5]), laws=LAWS)


def test_no_weights_where_no_law_can_be_fitted(results):
    candidates = list(results[0].candidates.values())
    failed = Criteria(-np.inf, 6, np.inf, np.inf)
    assert law_weights([candidates[0], candidates[1]._replace(criteria=failed)])[1] == 0
    with pytest.raises(InputError, match="no law has finite curves"):
        law_weights([each._replace(criteria=failed) for each in candidates])


def test_averaged_accuracies_end_at_one():
    """As those of one law do."""
    decay, rng = np.exp(-0.5 * TS), np.random.default_rng(0)
    right = rng.binomial(200, 1 - 0.7 * decay) / 200
    run = Trajectory(TS, right, kind="accuracy", num_items=200)
    average = fit_auto(run, laws=LAWS)
    assert average.limits["solver"].interval[1] == 1
    assert average.laws["linear"].limits["solver"].interval[1] <= 1
    assert average.parameters["solver_initial"].interval[0] >= 0
