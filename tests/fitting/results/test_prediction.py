"""Predictions: the terms they are in, which times they take, and their ends against SciPy's."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.optimize import least_squares
from scipy.special import stdtrit

from jaxgap.fitting import LinearLaw, fit
from jaxgap.fitting.results.prediction import Band, Prediction, checked_times, predict_bands
from jaxgap.trajectory import Trajectory

TS = np.linspace(0.0, 4.0, 12)
DECAY = np.exp(-0.5 * TS)
NOISE = 0.02 * np.random.default_rng(5).standard_normal((2, 12))
RUN = Trajectory(TS, 0.2 + 0.8 * DECAY + NOISE[0], 0.1 + 0.4 * DECAY + NOISE[1])
LATER = np.array([3.0, 0.0, 7.5])


@pytest.fixture(scope="module", name="fitted")
def _fitted():
    return fit(LinearLaw(), RUN)


@given(arrays(float, (4, 3, 3), elements=st.floats(0, 1)), st.booleans())
def test_accuracies_are_mirrored_and_their_gap_is_not(bands, has_verifier):
    bands = np.sort(bands, axis=-1)[..., [1, 0, 2]]
    errors, accuracies = (
        Prediction.of_bands(np.arange(4.0), bands, 0.9, kind, has_verifier)
        for kind in ("uncertainty", "accuracy")
    )
    np.testing.assert_array_equal(np.stack(errors.solver, -1), bands[:, 0])
    for name in ("solver", "verifier") if has_verifier else ("solver",):
        of_errors, of_accuracies = getattr(errors, name), getattr(accuracies, name)
        assert (of_accuracies.lower <= of_accuracies.estimate).all()
        assert (of_accuracies.estimate <= of_accuracies.upper).all()
        np.testing.assert_allclose(of_accuracies.estimate, 1 - of_errors.estimate)
        np.testing.assert_allclose(Band(*of_accuracies).mirrored(), of_errors, atol=1e-15)
    if not has_verifier:
        assert (errors.verifier, errors.gap, accuracies.verifier) == (None, None, None)
        return
    # U_s - U_v is also the accuracies' difference, the verifier's minus the solver's.
    np.testing.assert_array_equal(np.stack(errors.gap, -1), bands[:, 2])
    np.testing.assert_array_equal(accuracies.gap, errors.gap)


def test_bands_of_accuracies_end_at_0_and_1_unless_they_are_open_or_wholly_beyond():
    of_errors = np.array([[-0.1, -0.2, 0.3], [0.5, -np.inf, np.inf], [-0.3, -0.4, -0.1]])
    bands = np.broadcast_to(of_errors[:, None], (3, 3, 3))
    found = Prediction.of_bands(np.arange(3.0), bands, 0.9, "accuracy", True)
    np.testing.assert_allclose(found.verifier.estimate, [1.0, 0.5, 1.3])
    np.testing.assert_allclose(found.verifier.lower, [0.7, -np.inf, 1.1])
    np.testing.assert_allclose(found.verifier.upper, [1.0, np.inf, 1.4])
    np.testing.assert_array_equal(found.gap, bands[:, 2].T)


@pytest.mark.parametrize(
    ("ts", "message"),
    [
        (3.0, r"must be a list of times, got shape \(\)"),
        ([], r"must be a list of times, got shape \(0,\)"),
        ([[1.0]], r"must be a list of times, got shape \(1, 1\)"),
        ([2.0, 0.5], "not before the first measured time 1, got 0.5"),
        ([2.0, np.inf], "must be finite"),
        ([np.nan], "must be finite"),
    ],
)
def test_times_that_cannot_be_are_refused(ts, message):
    with pytest.raises(ValueError, match=message):
        checked_times(ts, 1.0)


def test_times_are_taken_in_their_order():
    np.testing.assert_array_equal(checked_times([3, 1, 2], 1.0), [3.0, 1.0, 2.0])


def curves(p, ts):
    """The linear law's closed form: p = U_s_inf, U_v_inf, A, B, kappa."""
    decay = np.exp(-p[4] * ts)
    return p[0] + p[2] * decay, p[1] + p[3] * decay


def squares(residuals, start):
    return 2 * least_squares(residuals, start, xtol=1e-14, ftol=1e-14, gtol=1e-14).cost


def residuals(p):
    return np.concatenate(np.subtract(curves(p, TS), [RUN.solver, RUN.verifier]))


def held(t, name, value):
    """The least sum of squares where one curve has a value at a time."""

    def of_four(free):
        # The solver's amplitude follows, or the verifier's, from the value at t.
        p = np.array([free[0], free[1], free[2], free[2], free[3]])
        decay = np.exp(-p[4] * t)
        if name == "solver":
            p[2] = (value - p[0]) / decay
        elif name == "verifier":
            p[3] = (value - p[1]) / decay
        else:
            p[2] = (value - p[0] + p[1]) / decay + p[3]
        return residuals(p)

    return squares(of_four, [0.2, 0.1, 0.8 if name == "verifier" else 0.4, 0.5])


def test_the_ends_are_where_scipys_profile_says(fitted):
    prediction = fitted.predict(LATER)
    best = squares(residuals, [0.2, 0.1, 0.8, 0.4, 0.5])
    level = best * (1 + stdtrit(24 - 5, 0.5 + fitted.level / 2) ** 2 / (24 - 5))
    for name in ("solver", "verifier", "gap"):
        band = getattr(prediction, name)
        for place, t in enumerate(LATER):
            for end in (band.lower[place], band.upper[place]):
                assert held(t, name, end) == pytest.approx(level, rel=1e-4)


def test_without_a_quantile_the_ends_are_infinite(fitted):
    source = fitted.source
    bands = predict_bands(source.problem, source.curves, source.raw, LATER, None)
    np.testing.assert_allclose(bands[:, 0, 0], fitted.fitted_curves(LATER)["solver"], rtol=1e-12)
    np.testing.assert_array_equal(bands[..., 1], -np.inf)
    np.testing.assert_array_equal(bands[..., 2], np.inf)


def test_of_a_run_that_jumps_at_once_every_time_in_between_has_both_ends():
    """Refits cling to the fit there: its rate is so fast that the curve hardly moves."""
    ts = 4 * np.arange(14.0)
    levels = np.where(ts == 0, 3.0, 1.0)
    run = Trajectory(ts, levels + np.random.default_rng(19).normal(0, 0.05, 14))
    band = fit(LinearLaw(), run).predict(1.4625 + 0.01 * np.arange(-8, 9)).solver
    assert np.isfinite([band.lower, band.upper]).all()
    assert (np.diff(band.upper) < 0).all()
