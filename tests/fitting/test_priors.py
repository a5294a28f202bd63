"""Priors as residuals: half their square is the negative log-density, up to a constant."""

import jax
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import lognorm, norm

from jaxgap.errors import InputError
from jaxgap.fitting import LogNormal, Normal
from jaxgap.fitting.priors import IndexedPrior

POSITIVE = st.floats(0.01, 10.0)


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
