"""Residuals that grow with the curve: the score test's level, its power, and what it says."""

import numpy as np
import pytest
from scipy.stats import kstest, norm

from jaxgap.fitting import LinearLaw, RelativeScale, ScalePerSeries, fit, fit_many
from jaxgap.fitting.diagnosis.growth import growth_with_level
from jaxgap.trajectory import Trajectory

LEVELS = np.geomspace(4.0, 0.5, 200)


def runs(num_rows, num_runs, relative):
    ts = np.arange(float(num_rows))
    solver, verifier = 0.5 + 3 * np.exp(-0.3 * ts), 0.4 + 1.5 * np.exp(-0.3 * ts)
    for seed in range(num_runs):
        noise = 0.04 * np.random.default_rng(seed).standard_normal((2, num_rows))
        factors = (solver, verifier) if relative else (1.0, 1.0)
        yield Trajectory(ts, solver + factors[0] * noise[0], verifier + factors[1] * noise[1])


def test_the_score_is_standard_normal_without_growth():
    rng = np.random.default_rng(0)
    scores = [growth_with_level(rng.standard_normal(200), LEVELS) for _ in range(2000)]
    assert abs(np.mean(scores)) < 0.06
    assert np.std(scores) == pytest.approx(1, abs=0.06)
    assert kstest(scores, norm.cdf).pvalue > 1e-4


@pytest.mark.parametrize(("power", "sign"), [(1.0, 1), (-1.0, -1)])
def test_its_sign_is_that_of_the_growth(power, sign):
    rng = np.random.default_rng(1)
    score = growth_with_level(LEVELS**power * rng.standard_normal(200), LEVELS)
    assert sign * score > 5
    assert score == pytest.approx(
        growth_with_level(7 * LEVELS**power * np.random.default_rng(1).standard_normal(200), LEVELS)
    )


@pytest.mark.parametrize(
    ("residuals", "levels"),
    [
        (np.zeros(5), np.arange(1.0, 6.0)),
        (np.ones(5), np.ones(5)),
        (np.ones(5), np.arange(5.0)),
        (np.full(5, np.nan), np.arange(1.0, 6.0)),
    ],
)
def test_there_is_none_without_residuals_or_a_change_of_level(residuals, levels):
    assert growth_with_level(residuals, levels) is None


@pytest.mark.parametrize("num_rows", [8, 20])
def test_errors_of_one_size_are_doubted_no_more_often_than_it_says(num_rows):
    found = fit_many(LinearLaw(), list(runs(num_rows, 200, relative=False)))
    p_values = np.array([result.diagnostics.growth_p_value for result in found])
    assert np.mean(p_values < 0.01) < 0.04
    assert np.mean(p_values < 0.1) < 0.18


def test_errors_in_proportion_to_the_curve_are_found_and_the_remedy_is_named():
    found = fit_many(LinearLaw(), list(runs(20, 100, relative=True)))
    named = [
        [each for each in result.warnings if "grow with the curve" in each] for result in found
    ]
    assert np.mean([len(each) for each in named]) > 0.8
    first = next(each for each in named if each)[0]
    assert "jaxgap fit --noise relative, or noise=RelativeScale() in Python" in first
    # Errors that differ between the series follow from it, and have no warning of their own.
    for result, warnings in zip(found, named, strict=True):
        assert not (warnings and any("one scale for both" in each for each in result.warnings))
    assert "errors of one size" in found[0].report()


@pytest.mark.parametrize("noise", [RelativeScale(), ScalePerSeries()])
def test_other_noise_is_not_asked(noise):
    (run,) = runs(20, 1, relative=True)
    assert fit(LinearLaw(), run, noise=noise).diagnostics.growth is None


def test_known_errors_accuracies_and_values_below_zero_are_not_asked():
    (run,) = runs(20, 1, relative=True)
    known = run.replace(solver_se=np.full(20, 0.1), verifier_se=np.full(20, 0.1))
    lower = Trajectory(run.ts, run.solver - 1)
    accuracies = Trajectory(run.ts, 1 - run.solver / 10, kind="accuracy")
    for each in (known, lower, accuracies):
        assert fit(LinearLaw(), each).diagnostics.growth is None


def test_a_misfit_is_not_taken_for_noise():
    ts = np.arange(40.0)
    slower = Trajectory(ts, 1 + 3 / (1 + ts), 0.5 + 1 / (1 + ts))
    found = fit(LinearLaw(), slower)
    assert found.diagnostics.growth_p_value < 0.01
    assert any("autocorrelated" in each for each in found.warnings)
    assert not any("grow with the curve" in each for each in found.warnings)
