"""The neural law: an unknown potential learned from noisy curves, and where it leads."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgap.dynamics import (
    GapDynamics,
    NeuralPotential,
    PowerPotential,
    RankOneCoupling,
    SaturatingPotential,
    simulate,
)
from jaxgap.fitting import LevenbergMarquardt, LinearLaw, NeuralLaw, OdeCurves, closed_form, fit
from jaxgap.fitting.curves import curves_of
from jaxgap.fitting.least_squares.minimiser import minimise
from jaxgap.fitting.problem import FitProblem
from jaxgap.trajectory import Trajectory

TS = np.linspace(0.0, 10.0, 16)
UNKNOWN = {
    "power": PowerPotential(0.6, 0.1, 2.0),
    "saturating": SaturatingPotential(0.12, 0.1, 5.0),
}


@pytest.fixture(autouse=True)
def _float64():
    with jax.enable_x64(True):
        yield


@pytest.fixture(params=[pytest.param("power", marks=pytest.mark.slow), "saturating"], name="truth")
def _truth(request):
    return GapDynamics(UNKNOWN[request.param], RankOneCoupling(0.4), 3.0, 1.5)


def noisy(truth, num_rows):
    ys = np.asarray(truth.closed_form(TS))
    ys = ys + 0.005 * np.random.default_rng(0).standard_normal(ys.shape)
    return curves_of(Trajectory(TS[:num_rows], *ys[:num_rows].T), 16)


@eqx.filter_jit
def fitted(law, curve_fn, curves):
    problem = FitProblem(law, curve_fn, LevenbergMarquardt())
    starts = law.starts(curves)
    found = minimise(problem.minimiser, problem.residuals, starts, lambda _: curves)
    return found, problem.dynamics(found.coordinates[jnp.nanargmin(found.cost)], curves)


def speeds(dynamics, gaps):
    return jax.vmap(lambda gap: dynamics.potential.closing_speed(gap, dynamics.gap_initial))(gaps)


def test_an_unknown_potential_is_recovered(truth):
    curves = noisy(truth, 16)
    found, neural = fitted(NeuralLaw(), OdeCurves(), curves)
    _, linear = fitted(LinearLaw(), closed_form, curves)
    assert np.isfinite(found.cost).all()
    # Many starts run out of steps along directions that the curves hardly hold; the best does not.
    assert found.converged[np.nanargmin(found.cost)]
    last = truth.closed_form(TS[-1:])[0]
    gaps = jnp.linspace(last[0] - last[1], 1.5, 25)
    expected = speeds(truth, gaps)
    error, lines_error = (
        float(jnp.sqrt(jnp.mean((speeds(law, gaps) - expected) ** 2)) / expected.max())
        for law in (neural, linear)
    )
    assert error < 0.05
    assert error < 0.4 * lines_error


def test_from_part_of_a_run_it_goes_no_further_astray_than_the_linear_law(truth):
    curves = noisy(truth, 10)
    _, neural = fitted(NeuralLaw(), OdeCurves(), curves)
    _, linear = fitted(LinearLaw(), closed_form, curves)
    end = np.asarray(truth.closed_form(TS[-1:]))[0]
    error = np.abs(simulate(neural, TS).ys[-1] - end).max()
    assert error < np.abs(linear.closed_form(TS[-1:])[0] - end).max()
    limits = np.array(neural.limits())
    assert (limits[:2] < curves.ys[9]).all()
    assert (limits[:2] > curves.ys[9] - 1.5).all()


def test_from_parameters_is_the_inverse_of_parameter_values(truth):
    law, curves = NeuralLaw(), noisy(truth, 16)
    problem = FitProblem(law, OdeCurves(), LevenbergMarquardt())
    for start in law.starts(curves)[:3]:
        dynamics = problem.dynamics(start, curves)
        values = law.parameter_values(dynamics)
        again = law.from_parameters(values, curves)
        assert isinstance(again.potential, NeuralPotential)
        for one, other in zip(*map(jax.tree.leaves, (dynamics, again)), strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-14)


def test_it_has_no_closed_form():
    with pytest.raises(
        ValueError, match=r"NeuralPotential has no closed form.*give curve_fn=OdeCurves\(\)"
    ):
        fit(NeuralLaw(), Trajectory(TS, 1 + np.exp(-TS)))


@pytest.mark.slow
@pytest.mark.parametrize("has_verifier", [True, False])
def test_accuracies_are_fitted_with_intervals(truth, has_verifier):
    rng = np.random.default_rng(7)
    right = rng.binomial(2000, 1 - np.asarray(truth.closed_form(TS)) / 5) / 2000
    verifier = right[:, 1] if has_verifier else None
    run = Trajectory(TS, right[:, 0], verifier, kind="accuracy", num_items=2000)
    result = fit(NeuralLaw(), run, curve_fn=OdeCurves())
    assert result.diagnostics.reduced_chi_squared < 2
    low, high = result.parameters["rate"].interval
    assert low is None or low < truth.potential.rate
    assert high is None or high > truth.potential.rate
