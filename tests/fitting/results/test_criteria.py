"""Information criteria against SciPy's likelihood and the formulas themselves."""

import math

import numpy as np
import pytest
from scipy.stats import norm

from jaxgap.fitting.curves import curves_of
from jaxgap.fitting.results.criteria import criteria, criteria_of_fit
from jaxgap.trajectory import Trajectory

TS = np.arange(8.0)
RESIDUALS = 0.1 * np.random.default_rng(0).standard_normal((8, 2))
RUN = Trajectory(TS, 1 + np.exp(-TS), 0.5 + 0.5 * np.exp(-TS))


def by_hand(log_likelihood, k, n):
    aicc = -2 * log_likelihood + 2 * k + 2 * k * (k + 1) / (n - k - 1)
    return aicc, -2 * log_likelihood + k * math.log(n)


def test_the_likelihood_is_that_of_normal_errors():
    errors = np.random.default_rng(1).uniform(0.05, 0.2, (8, 2))
    curves = curves_of(RUN, 16, errors)
    found = criteria_of_fit(curves, float(((RESIDUALS / errors) ** 2).sum()), 3)
    log_likelihood = norm.logpdf(RESIDUALS, scale=errors).sum()
    assert found.log_likelihood == pytest.approx(log_likelihood)
    assert (found.aicc, found.bic) == pytest.approx(by_hand(log_likelihood, 3, 16))


def test_an_unknown_scale_is_estimated_and_counted():
    curves = curves_of(RUN, 16)
    cost = float((RESIDUALS**2).sum()) / float(curves.value_scale) ** 2
    log_likelihood = norm.logpdf(RESIDUALS, scale=np.sqrt(np.mean(RESIDUALS**2))).sum()
    found = criteria_of_fit(curves, cost, 3)
    assert found.log_likelihood == pytest.approx(log_likelihood)
    assert (found.aicc, found.bic) == pytest.approx(by_hand(log_likelihood, 4, 16))


def test_too_few_measurements_have_no_aicc():
    found = criteria(1.0, 5, 6)
    assert found.finite_aicc is None
    assert found.to_dict()["aicc"] is None
    assert "too few measurements" in found.to_dict()["reason"]
