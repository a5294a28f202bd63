"""A law that explains little of a run, against the tests of its residuals, is not to be trusted."""

import numpy as np
import pytest

from jaxgap.fitting import LinearLaw, fit
from jaxgap.fitting.results.objection import objection
from jaxgap.trajectory import Trajectory


def run_with(correlation):
    """A fall that is soon over, and errors of a given autocorrelation."""
    rng, ts, errors = np.random.default_rng(2), np.arange(20.0), np.zeros(20)
    for row in range(1, 20):
        errors[row] = correlation * errors[row - 1] + rng.standard_normal()
    return Trajectory(ts, 1 + 0.15 * np.exp(-0.8 * ts) + 0.05 * errors)


def test_the_first_sentence_carries_the_doubt_that_a_low_r2_and_a_test_raise():
    """No verdict is against the law: none of the theory's own tests finds anything."""
    result = fit(LinearLaw(), run_with(0.5))
    assert result.diagnosis.verdict is None
    assert result.r2["solver"] == pytest.approx(0.41, abs=0.01)
    assert objection(result) == (
        "The linear law does not describe this run (R² solver 0.41): do not trust the limit that "
        "it gives."
    )
    report = " ".join(result.report().split())
    assert "The solver's limit is 1.002" in report
    assert "under a law that does not describe this run." in report.partition("Parameters")[0]


def test_a_low_r2_alone_speaks_of_noise():
    result = fit(LinearLaw(), run_with(0.0))
    assert result.r2["solver"] < 0.5
    assert objection(result) is None
    assert "does not describe" not in result.report()
