"""The baselines against SciPy's bounded least squares from many starts."""

import numpy as np
import pytest
from scipy.optimize import least_squares

from jaxgap.fitting.backtesting.baselines import baseline_forecasts
from jaxgap.trajectory import Trajectory

TS = np.arange(16.0)
AHEAD = np.array([40.0, 41.0, 42.0])
CURVES = {
    "exp3": lambda p, u, h: p[0] + p[1] * np.exp(-np.exp(p[2]) * u),
    "pow3": lambda p, u, h: p[0] + p[1] * (1 + u / h) ** -np.exp(p[2]),
}


def best_scipy(curve, u, h, errors, ahead):
    """The mean over `ahead` of the best of many fits."""
    fits = [
        least_squares(
            lambda p: curve(p, u, h) - errors,
            [limit, errors[0] - limit, shape],
            bounds=([0.0, -np.inf, -6.9], [1.0, np.inf, 6.9]),
            ftol=1e-12,
            xtol=1e-12,
            gtol=1e-12,
        )
        for limit in (0.05, 0.3, 0.6)
        for shape in (-1.0, 0.0, 1.0, 2.0)
    ]
    best = min(fits, key=lambda found: found.cost)
    return curve(best.x, ahead, h).mean()


@pytest.mark.parametrize("name", CURVES)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_fits_are_as_good_as_scipys(name, seed):
    rng = np.random.default_rng(seed)
    errors = 0.35 + 0.5 * (1 + TS) ** -0.8 + 0.01 * rng.standard_normal(len(TS))
    run = Trajectory(TS, 1 - errors, kind="accuracy")
    found = baseline_forecasts(run, AHEAD)[name]
    expected = 1 - best_scipy(CURVES[name], TS / 15, 1 / 15, errors, AHEAD / 15)
    assert found == pytest.approx(expected, abs=1e-4)


def test_each_baseline_recovers_its_own_curve():
    u = TS / 15
    curves = {
        "exp3": lambda u: 0.3 + 0.5 * np.exp(-3 * u),
        "pow3": lambda u: 0.3 + 0.5 * (1 + 15 * u) ** -0.7,
        "sigmoid": lambda u: 0.8 - 0.5 / (1 + (0.4 / np.maximum(u, 1e-9)) ** 2.0),
    }
    for name, curve in curves.items():
        found = baseline_forecasts(Trajectory(TS, curve(u)), AHEAD)[name]
        assert found == pytest.approx(curve(AHEAD / 15).mean(), rel=1e-3), name


def test_the_last_value_is_the_last_value():
    run = Trajectory([0.0, 1.0, 2.0], [0.5, 0.6, 0.7], kind="accuracy")
    assert baseline_forecasts(run, AHEAD)["last"] == pytest.approx(0.7)
