"""What a result gives itself: its fitted curves, and how far measurements lie about them."""

import numpy as np
import pytest

from jaxgap.fitting import LinearLaw, PowerLaw, ScalePerSeries, fit
from jaxgap.fitting.selection import fit_auto
from jaxgap.trajectory import Trajectory

TS = np.linspace(0.0, 9.0, 14)
NOISE = np.random.default_rng(0).standard_normal((2, 14)) * [[0.01], [0.03]]
DECAY = np.exp(-0.5 * TS)
SOLVER, VERIFIER = 0.2 + 0.7 * DECAY + NOISE[0], 0.1 + 0.35 * DECAY + NOISE[1]


@pytest.fixture(scope="module", name="errors")
def _errors():
    return fit(LinearLaw(), Trajectory(TS, SOLVER, VERIFIER))


@pytest.fixture(scope="module", name="accuracies")
def _accuracies():
    return fit(LinearLaw(), Trajectory(TS, 1 - SOLVER, 1 - VERIFIER, kind="accuracy"))


def test_fitted_curves_are_those_of_a_prediction_without_its_bands(errors, accuracies):
    ts = np.array([0.0, 4.5, 20.0])
    for result in (errors, accuracies):
        curves, predicted = result.fitted_curves(ts), result.predict(ts)
        np.testing.assert_allclose(curves["solver"], predicted.solver.estimate, rtol=1e-12)
        np.testing.assert_allclose(curves["verifier"], predicted.verifier.estimate, rtol=1e-12)
        assert [*curves] == ["solver", "verifier"]


def test_fitted_accuracies_do_not_pass_one_as_their_law_would():
    accuracy = 1.0 - 0.6 * np.exp(-0.7 * TS) + 0.01 * np.sin(5 * TS)
    result = fit(LinearLaw(), Trajectory(TS, np.minimum(accuracy + 0.01, 1.0), kind="accuracy"))
    later = np.array([0.0, 30.0])
    assert 1 - result.dynamics.limits().solver > 1
    assert result.fitted_curves(later)["solver"][1] == 1
    assert result.predict(later).solver.estimate[1] == 1


def test_without_noise_to_tell_a_run_that_stands_still_has_no_bands():
    for result in (
        fit(LinearLaw(), Trajectory(TS, np.full(len(TS), 0.5), np.full(len(TS), 0.25))),
        fit_auto(Trajectory(TS, np.full(len(TS), 0.5)), laws=(LinearLaw(), PowerLaw())),
    ):
        band = result.predict(TS).solver
        np.testing.assert_allclose(band.estimate, 0.5)
        assert np.isinf([band.lower, band.upper]).all()
        assert result.limits["solver"].interval is None
        assert result.parameters["solver_initial"].interval is None


@pytest.mark.parametrize("ts", [[-1.0], [np.nan], [[0.0]]])
def test_fitted_curves_are_refused_where_a_prediction_is(errors, ts):
    for ask in (errors.fitted_curves, errors.predict):
        with pytest.raises(ValueError, match="ts must be"):
            ask(np.array(ts))


def test_both_series_tell_one_scale(errors, accuracies):
    fitted = errors.fitted_curves(TS)
    squares = ((SOLVER - fitted["solver"]) ** 2 + (VERIFIER - fitted["verifier"]) ** 2).sum()
    assert errors.residual_stderr == pytest.approx(np.sqrt(squares / (28 - 5)), rel=1e-9)
    assert accuracies.residual_stderr == pytest.approx(errors.residual_stderr, rel=1e-6)


def test_with_a_scale_for_each_series_the_residual_error_is_that_of_the_solver():
    result = fit(LinearLaw(), Trajectory(TS, SOLVER, VERIFIER), noise=ScalePerSeries())
    squares = ((SOLVER - result.fitted_curves(TS)["solver"]) ** 2).sum()
    assert result.residual_stderr == pytest.approx(np.sqrt(squares / (14 - 2.5)), rel=1e-9)


def test_a_solver_alone_has_no_other_curve():
    result = fit(LinearLaw(), Trajectory(TS, SOLVER))
    assert [*result.fitted_curves(TS)] == ["solver"]
    squares = ((SOLVER - result.fitted_curves(TS)["solver"]) ** 2).sum()
    assert result.residual_stderr == pytest.approx(np.sqrt(squares / (14 - 3)), rel=1e-9)
