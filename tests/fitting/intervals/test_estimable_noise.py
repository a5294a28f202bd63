"""Intervals are withheld where the measurements cannot tell their noise."""

import numpy as np
import pytest

from jaxgap.fitting import LinearLaw, ScalePerSeries, StudentT, fit
from jaxgap.trajectory import Trajectory


def run(num_rows, seed=0):
    ts, rng = np.arange(float(num_rows)), np.random.default_rng(seed)
    solver = 1 + 2 * np.exp(-0.5 * ts) + 0.05 * rng.standard_normal(num_rows)
    return Trajectory(ts, solver, 0.5 + np.exp(-0.5 * ts) + 0.05 * rng.standard_normal(num_rows))


@pytest.mark.parametrize("noise", [ScalePerSeries(), StudentT()], ids=lambda each: each.name)
def test_a_curve_through_all_rows_of_a_series_tells_nothing_of_its_noise(noise):
    """The likelihood is without bound there: the interval was the point 2.983."""
    result = fit(LinearLaw(), Trajectory([0, 1, 2], [5, 3.9, 3.4], [3, 2.5, 2.3]), noise=noise)
    limit = result.limits["solver"]
    assert (limit.estimate, limit.interval) == (None, None)
    assert "nothing is left to estimate the noise from" in (limit.reason or "")
    assert result.parameters["rate"].interval is None
    predicted = result.predict([3.0])
    for band in (predicted.solver, predicted.verifier, predicted.gap):
        assert np.isfinite(band.estimate).all()
        assert (band.lower.item(), band.upper.item()) == (-np.inf, np.inf)


def test_a_scale_of_its_own_takes_two_rows_more_than_a_series_holds():
    """One series of the linear law determines its limit, its amplitude and the rate."""
    withheld = [
        fit(LinearLaw(), run(num_rows), noise=ScalePerSeries()).source.quantile is None
        for num_rows in (4, 5)
    ]
    assert withheld == [True, False]


def test_a_series_that_stands_still_has_no_scale_of_its_own():
    moving = run(12)
    still = Trajectory(moving.ts, moving.solver, np.full(12, 0.5))
    assert fit(LinearLaw(), still, noise=ScalePerSeries()).limits["solver"].interval is None


def test_without_a_verifier_a_scale_per_series_is_one_scale():
    only = Trajectory(run(4).ts, run(4).solver)
    assert fit(LinearLaw(), only, noise=ScalePerSeries()).source.quantile is not None
