"""Priors as residuals: half their square is the negative log-density, up to a constant."""

import jax
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import brentq, minimize_scalar
from scipy.stats import lognorm, norm
from scipy.stats import t as student_t

from jaxgap.errors import InputError
from jaxgap.fitting import (
    EstimatedScale,
    GivenScale,
    LinearLaw,
    LogNormal,
    Normal,
    ScalePerSeries,
    StudentT,
    fit,
    fit_many,
)
from jaxgap.fitting.priors import IndexedPrior
from jaxgap.trajectory import Trajectory

POSITIVE = st.floats(0.01, 10.0)
TS = np.arange(6.0)
NOISE = 0.02 * np.random.default_rng(0).standard_normal((2, 6))
SOLVER, VERIFIER = 1 + 2 * np.exp(-0.3 * TS) + NOISE[0], 0.5 + np.exp(-0.3 * TS) + NOISE[1]


@given(POSITIVE, POSITIVE, POSITIVE)
def test_a_normal_residual_is_a_log_density(mean, sd, value):
    with jax.enable_x64(True):
        residual = float(Normal(mean, sd).residual(value))
    log_density = norm.logpdf(value, mean, sd) - norm.logpdf(mean, mean, sd)
    assert -0.5 * residual**2 == pytest.approx(log_density, rel=1e-9, abs=1e-9)


@given(POSITIVE, st.floats(0.1, 2.0), POSITIVE)
def test_a_log_normal_residual_is_the_log_density_of_the_logarithm(median, sd, value):
    with jax.enable_x64(True):
        residual = float(LogNormal(median, sd).residual(value))
    # A density of the logarithm is that of the value times the value.
    density, at_median = (lognorm.logpdf(x, sd, scale=median) + np.log(x) for x in (value, median))
    assert -0.5 * residual**2 == pytest.approx(density - at_median, rel=1e-9, abs=1e-9)


def test_a_prior_on_an_accuracy_looks_at_the_error_rate():
    values = np.array([0.5, 0.25])
    mirrored = IndexedPrior(Normal(0.75, 0.1), 1, mirrored=True).residual(values)
    assert float(mirrored) == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize(
    ("prior", "match"),
    [
        (lambda: Normal(np.inf, 1.0), "mean of a prior must be finite"),
        (lambda: Normal(0.0, 0.0), "standard deviation of a prior must be above zero"),
        (lambda: LogNormal(-1.0, 1.0), "median of a prior must be above zero"),
    ],
)
def test_priors_that_are_none_are_refused(prior, match):
    with pytest.raises(InputError, match=match):
        prior()


def squares(rate):
    """Those of the solver's residuals at the best limit and initial value."""
    columns = np.stack([np.ones(6), np.exp(-rate * TS)], -1)
    return float(np.linalg.lstsq(columns, SOLVER)[1][0])


@pytest.mark.parametrize("noise", [EstimatedScale(), GivenScale(0.02)], ids=lambda each: each.name)
def test_the_profile_of_likelihood_times_prior_is_numpys(noise):
    """Where the scale is estimated, the likelihood counts as often as it has degrees of freedom."""
    estimated, dof, quantile = isinstance(noise, EstimatedScale), 3, student_t.ppf(0.95, 3)

    def cost(rate):
        of_curves = dof * np.log(squares(rate)) if estimated else squares(rate) / 0.02**2
        return of_curves + ((rate - 0.25) / 0.02) ** 2

    best = minimize_scalar(cost, (0.2, 0.4), tol=1e-10)
    rise = dof * np.log1p(quantile**2 / dof) if estimated else norm.ppf(0.95) ** 2
    ends = [brentq(lambda x: cost(x) - best.fun - rise, best.x, end) for end in (0.1, 0.6)]
    priors = {"rate": Normal(0.25, 0.02)}
    found = fit(LinearLaw(), Trajectory(TS, SOLVER), noise=noise, priors=priors).parameters["rate"]
    assert found.estimate == pytest.approx(best.x, rel=1e-4)
    assert found.interval == pytest.approx(ends, rel=2e-3)


@pytest.mark.parametrize(
    "noise",
    [EstimatedScale(), ScalePerSeries(), pytest.param(StudentT(), marks=pytest.mark.slow)],
    ids=lambda noise: noise.name,
)
def test_an_interval_is_hardly_wider_than_its_prior(noise):
    run = Trajectory(TS[:5], SOLVER[:5], VERIFIER[:5])
    found = fit(LinearLaw(), run, noise=noise, priors={"rate": Normal(0.3, 0.001)})
    low, high = found.parameters["rate"].interval
    assert 0.9 < (high - low) / 2 / 0.001 / norm.ppf(0.95) < 1.1
    assert found.parameters["rate"].stderr == pytest.approx(0.001, rel=0.01)


@pytest.mark.parametrize(
    "noise",
    [
        EstimatedScale(),
        *(pytest.param(n, marks=pytest.mark.slow) for n in (ScalePerSeries(), StudentT())),
    ],
    ids=lambda noise: noise.name,
)
def test_a_prior_that_knows_nothing_changes_nothing(noise):
    run = Trajectory(TS, SOLVER, VERIFIER)
    alone = fit(LinearLaw(), run, noise=noise)
    found = fit(LinearLaw(), run, noise=noise, priors={"rate": Normal(0.3, 1e6)})
    for name, estimate in alone.parameters.items():
        other = found.parameters[name]
        assert other.estimate == pytest.approx(estimate.estimate, rel=1e-4, abs=1e-4)
        assert other.interval == pytest.approx(estimate.interval, rel=1e-3, abs=1e-3)


@pytest.mark.slow
def test_rates_drawn_from_their_prior_are_covered_as_often_as_promised():
    rng = np.random.default_rng(3)
    rates = 0.3 * np.exp(0.2 * rng.standard_normal(256))
    runs = [Trajectory(TS, 1 + 2 * np.exp(-k * TS) + 0.3 * rng.standard_normal(6)) for k in rates]
    fits = fit_many(LinearLaw(), runs, priors={"rate": LogNormal(0.3, 0.2)})
    intervals = np.array([each.parameters["rate"].interval for each in fits], float)
    covered = np.mean((intervals[:, 0] <= rates) & (rates <= intervals[:, 1]))
    assert 0.87 < covered < 0.96
