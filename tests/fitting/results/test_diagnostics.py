"""What residuals still hold: the tests keep their level, and find what they are for."""

import numpy as np
import pytest
from scipy.stats import chi2

from jaxgap.fitting import (
    EstimatedScale,
    LinearLaw,
    LogNormal,
    ScalePerSeries,
    StudentT,
    fit,
    fit_many,
)
from jaxgap.fitting.results.diagnostics import Diagnostics
from jaxgap.report.words import theory_sentence
from jaxgap.trajectory import Trajectory


def runs(solver_noise, verifier_noise, num_rows, num_runs, **given):
    ts = np.linspace(0, 12, num_rows)
    decay = np.exp(-0.25 * ts)
    for seed in range(num_runs):
        noise = np.random.default_rng(seed).standard_normal((2, num_rows))
        solver = 1 + 2 * decay + solver_noise * noise[0]
        yield Trajectory(ts, solver, 0.5 + 0.9 * decay + verifier_noise * noise[1], **given)


@pytest.mark.parametrize("num_rows", [6, 14])
def test_one_scale_is_doubted_no_more_often_than_it_says(num_rows):
    found = fit_many(LinearLaw(), list(runs(0.05, 0.05, num_rows, 200)))
    p_values = np.array([result.diagnostics.noise_ratio_p_value for result in found])
    assert np.mean(p_values < 0.01) < 0.04
    assert 0.02 < np.mean(p_values < 0.1) < 0.18


@pytest.mark.parametrize("verifier_noise", [0.005, 0.5])
def test_scales_that_differ_by_ten_are_reported(verifier_noise):
    (run,) = runs(0.05, verifier_noise, 12, 1)
    result = fit(LinearLaw(), run)
    assert 0.5 < result.diagnostics.noise_ratio * 0.05 / verifier_noise < 2
    (warning,) = [each for each in result.warnings if "assumes one scale for both" in each]
    assert "noise=ScalePerSeries() in Python" in warning
    assert "equal noise scales" in result.report()


@pytest.mark.parametrize("noise", [ScalePerSeries(), StudentT()])
def test_other_noise_is_not_asked_about_one_scale(noise):
    (run,) = runs(0.05, 0.005, 12, 1)
    assert fit(LinearLaw(), run, noise=noise).diagnostics.noise_ratio is None


def test_a_solver_alone_short_runs_and_known_noise_are_not_asked_about_one_scale():
    (run,) = runs(0.05, 0.005, 12, 1)
    (known,) = runs(0.05, 0.005, 12, 1, solver_se=np.full(12, 0.05), verifier_se=np.full(12, 0.005))
    for each in (Trajectory(run.ts, run.solver), run.head(5), known):
        assert fit(LinearLaw(), each).diagnostics.noise_ratio is None
    assert fit(LinearLaw(), known, noise=EstimatedScale()).diagnostics.noise_ratio is not None


def test_unequal_noise_does_not_speak_against_the_law():
    """A verifier that hardly moves beside its noise: its R² is near zero under the true law."""
    ts = np.arange(12.0)
    decay, noise = np.exp(-0.25 * ts), np.random.default_rng(0).standard_normal((2, 12))
    run = Trajectory(ts, 1 + decay + 0.01 * noise[0], 0.8 + 0.05 * decay + 0.05 * noise[1])
    result = fit(LinearLaw(), run)
    assert result.diagnostics.noise_ratio_p_value < 0.01
    assert "does not describe" not in theory_sentence(result)


def measured_on_the_same_prompts(seed, num_prompts=200):
    """Prompts differ by more than a measurement's own noise, and stay what they are."""
    rng = np.random.default_rng(seed)
    ts = np.arange(13.0)
    hardness = np.exp(0.6 * rng.standard_normal(num_prompts) - 0.18)
    solver = hardness * (1 + 2 * np.exp(-0.3 * ts))[:, None]
    verifier = hardness * (0.6 + 0.8 * np.exp(-0.3 * ts))[:, None]
    solver += 0.2 * rng.standard_normal(solver.shape)
    verifier += 0.5 * rng.standard_normal(verifier.shape)
    of_solver, of_verifier = (
        each.std(axis=1, ddof=1) / np.sqrt(num_prompts) for each in (solver, verifier)
    )
    return Trajectory(
        ts,
        solver.mean(axis=1),
        verifier.mean(axis=1),
        solver_se=of_solver,
        verifier_se=of_verifier,
    )


def test_errors_that_rows_share_are_reported_and_do_not_speak_against_the_law():
    found = fit_many(LinearLaw(), [measured_on_the_same_prompts(seed) for seed in range(20)])
    reported = [
        [each for each in result.warnings if "the rows share a part of their errors" in each]
        for result in found
    ]
    assert sum(map(len, reported)) > 15
    assert not [result for result in found if result.diagnostics.doubts()]


def test_true_errors_are_said_to_be_shared_no_more_often_than_it_says():
    given = {"solver_se": np.full(14, 0.05), "verifier_se": np.full(14, 0.02)}
    found = fit_many(LinearLaw(), list(runs(0.05, 0.02, 14, 200, **given)))
    reported = [
        any("share a part" in each for each in result.diagnostics.warnings()) for result in found
    ]
    assert np.mean(reported) < 0.03


def test_curves_without_noise_have_none_to_compare():
    (run,) = runs(0.0, 0.0, 12, 1)
    assert fit(LinearLaw(), run).diagnostics.noise_ratio is None


@pytest.mark.parametrize("accuracy", [0.0, 1.0])
def test_rows_on_a_bound_leave_no_residuals_to_be_autocorrelated(accuracy):
    ts, rows = np.arange(12.0), np.full(12, accuracy)
    result = fit(LinearLaw(), Trajectory(ts, rows, kind="accuracy", num_items=200))
    assert result.diagnostics.autocorrelation == {"solver": None}
    assert not result.diagnostics.doubts()


def test_one_scale_is_asked_about_beside_priors_too():
    (run,) = runs(0.05, 0.005, 12, 1)
    result = fit(LinearLaw(), run, priors={"rate": LogNormal(0.3, 1.0)})
    assert result.diagnostics.noise_ratio < 0.4


def test_nothing_is_explained_of_a_gap_that_varies_by_round_off_alone():
    solver = np.array([0.10, 0.22, 0.31, 0.38, 0.43, 0.47, 0.50, 0.52])
    run = Trajectory(np.arange(8), solver, solver + 0.1, kind="accuracy")
    assert np.ptp(run.gap) > 0
    r2 = fit(LinearLaw(), run).r2
    assert r2["gap"] is None
    assert r2["solver"] > 0.99


def test_statistics_of_residuals_are_those_of_their_definitions():
    """Ljung-Box at lag 1, corrected for two series, and the factor of an autoregression."""
    rng = np.random.default_rng(0)
    solver, verifier = np.cumsum(rng.standard_normal(20)) / 3, rng.standard_normal(20)
    residuals = {"solver": solver, "verifier": verifier}
    found = Diagnostics.of_residuals(residuals, 5, noise_known=True, one_scale=False, levels=None)
    rho = found.autocorrelation["solver"]
    assert rho > max(0.3, found.autocorrelation["verifier"])
    assert found.inflation == pytest.approx(((1 + rho) / (1 - rho)) ** 0.5)
    p_value = chi2.sf(20 * 22 * rho**2 / 19, 1)
    assert found.autocorrelation_p_value == pytest.approx(2 * p_value)
    squares = (solver**2).sum() + (verifier**2).sum()
    assert found.reduced_chi_squared == pytest.approx(squares / 35)
    assert found.chi_squared_p_value == pytest.approx(chi2.sf(squares, 35))
