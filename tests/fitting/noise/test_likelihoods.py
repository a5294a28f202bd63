"""Each noise model against SciPy: its likelihood, its greatest likelihood, and its profile."""

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.stats import binom, chi2, norm, t

from jaxgap.fitting import (
    Binomial,
    EstimatedScale,
    GivenScale,
    LinearLaw,
    ScalePerSeries,
    StudentT,
    fit,
)
from jaxgap.fitting.noise import default_noise
from jaxgap.trajectory import Trajectory

TS = np.linspace(0.0, 9.0, 14)
NUM_ITEMS = 40


def curves(p, ts=TS):
    """p = U_s_inf, A, log kappa, U_v_inf, B."""
    decay = np.exp(-np.exp(p[2]) * ts)
    return p[0] + p[1] * decay, p[3] + p[4] * decay


@pytest.fixture(scope="module", name="run")
def _run():
    rng = np.random.default_rng(0)
    solver, verifier = curves([0.3, 0.6, np.log(0.4), 0.2, 0.2])
    solver, verifier = (
        solver + 0.02 * rng.standard_normal(14),
        verifier + 0.05 * rng.standard_normal(14),
    )
    solver[4] += 0.2
    return Trajectory(TS, solver, verifier)


def densities(noise, run):
    """Log densities of all measurements at (p, log scales), by SciPy."""

    def of(p):
        solver, verifier = curves(p)
        scales = np.exp(np.broadcast_to(p[5:], 2)) if len(p) > 5 else (0.05, 0.05)
        if isinstance(noise, StudentT):
            return t.logpdf(run.solver, 4, solver, scales[0]), t.logpdf(
                run.verifier, 4, verifier, scales[1]
            )
        return norm.logpdf(run.solver, solver, scales[0]), norm.logpdf(
            run.verifier, verifier, scales[1]
        )

    return of


def greatest(negative, start):
    for _ in range(6):
        start = minimize(negative, start, method="Nelder-Mead", options=SHARP).x
    return start


SHARP = {"xatol": 1e-9, "fatol": 1e-12, "maxiter": 20_000, "maxfev": 20_000}


@pytest.mark.parametrize(
    ("noise", "scales"),
    [
        (GivenScale(0.05, 0.05), []),
        (EstimatedScale(), [-3.0]),
        (ScalePerSeries(), [-3.0, -3.0]),
        (StudentT(), [-3.0]),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_the_fit_is_of_greatest_likelihood(run, noise, scales):
    result = fit(LinearLaw(), run, noise=noise)
    of = densities(noise, run)
    best = greatest(lambda p: -np.sum(of(p)), np.array([0.3, 0.6, -0.9, 0.2, 0.2, *scales]))
    assert result.converged
    assert result.num_agreeing >= 4
    np.testing.assert_allclose(
        [result.limits["solver"].estimate, result.parameters["rate"].estimate],
        [best[0], np.exp(best[2])],
        rtol=1e-5,
    )
    found = result.source.raw.log_likelihoods[:14]
    np.testing.assert_allclose(found, np.stack(of(best), axis=1), atol=1e-4)


def test_an_outlier_moves_a_heavy_tailed_fit_less(run):
    gaussian = fit(LinearLaw(), run, noise=EstimatedScale())
    robust = fit(LinearLaw(), run, noise=StudentT())
    wild = [
        abs(result.dynamics.closed_form(TS)[4, 0] - run.solver[4]) for result in (gaussian, robust)
    ]
    assert wild[1] > wild[0]
    assert robust.parameters["rate"].stderr < gaussian.parameters["rate"].stderr


@pytest.fixture(scope="module", name="counts")
def _counts():
    solver = 1 - curves([0.02, 0.9, np.log(0.5), 0.1, 0.3])[0]
    accuracies = np.random.default_rng(1).binomial(NUM_ITEMS, solver) / NUM_ITEMS
    accuracies[0], accuracies[-2:] = 0.0, 1.0
    return Trajectory(TS, accuracies, kind="accuracy", num_items=NUM_ITEMS)


def binomial_cost(counts, p):
    """-2 log L; outside [0, 1] there is none."""
    wrong = np.round(NUM_ITEMS * (1 - counts.solver))
    rates = p[0] + p[1] * np.exp(-np.exp(p[2]) * TS)
    if rates.min() < 0 or rates.max() > 1:
        return np.inf
    return -2 * binom.logpmf(wrong, NUM_ITEMS, rates).sum()


def test_counts_of_none_and_all_are_fitted_by_their_likelihood(counts):
    noise, remarks = default_noise(counts)
    assert isinstance(noise, Binomial)
    assert remarks == []
    result = fit(LinearLaw(), counts)
    best = greatest(lambda p: binomial_cost(counts, p), np.array([0.05, 0.85, -0.7]))
    log_likelihood = result.source.raw.log_likelihoods.sum()
    assert -2 * log_likelihood == pytest.approx(binomial_cost(counts, best), abs=1e-2)
    assert result.parameters["rate"].estimate == pytest.approx(np.exp(best[2]), rel=1e-2)


def test_the_profile_of_counts_is_of_their_likelihood(counts):
    result = fit(LinearLaw(), counts)
    for end in result.parameters["rate"].interval:
        held = greatest(
            lambda p, end=end: binomial_cost(counts, [*p, np.log(end)]), np.array([0.05, 0.85])
        )
        best = -2 * result.source.raw.log_likelihoods.sum()
        ratio = binomial_cost(counts, [*held, np.log(end)]) - best
        assert ratio == pytest.approx(chi2.ppf(0.9, 1), rel=2e-2)


def test_what_a_noise_needs_is_asked_for(run):
    with pytest.raises(ValueError, match="binomial noise needs accuracies"):
        fit(LinearLaw(), run, noise=Binomial())
    with pytest.raises(ValueError, match="needs standard errors"):
        fit(LinearLaw(), run, noise=GivenScale())
    with pytest.raises(
        ValueError, match="scale of the solver must be above zero and finite, got -1"
    ):
        fit(LinearLaw(), run, noise=GivenScale(-1.0, 0.1))
    with pytest.raises(ValueError, match="dof must be above zero and finite, got 0"):
        StudentT(0.0)
