"""The rank-one laws: that `from_parameters` undoes `parameter_values`, and where fits start."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgap.fitting import LinearLaw, PowerLaw, fit
from jaxgap.fitting.curves import curves_of
from jaxgap.fitting.laws.rank_one_law import regress_rank_one
from jaxgap.trajectory import Trajectory

TS = np.linspace(1.0, 9.0, 14)
CURVES = curves_of(Trajectory(TS, 1 + np.exp(-0.4 * TS), 0.5 + 0.4 * np.exp(-0.4 * TS)), 16)


@pytest.mark.parametrize("law", [LinearLaw(), PowerLaw()], ids=lambda law: law.name)
def test_from_parameters_is_the_inverse_of_parameter_values(law):
    with jax.enable_x64(True):
        start = law.starts(CURVES)[3]
        values = [b.constrain(z) for b, z in zip(law.bijectors(CURVES), start, strict=True)]
        dynamics = law.dynamics(values, CURVES)
        again = law.from_parameters(law.parameter_values(dynamics), CURVES)
        np.testing.assert_allclose(again.closed_form(TS), dynamics.closed_form(TS), rtol=1e-12)
        np.testing.assert_allclose(jnp.stack(again.limits()), jnp.stack(dynamics.limits()))
        assert again.t0 == TS[0]


ROWS = np.arange(10.0)
# The verifier falls clearly, the solver rises within its noise.
SOLVER = np.array([1.593, 1.668, 1.879, 1.797, 1.851, 1.811, 2.058, 1.538, 1.614, 1.944])
VERIFIER = np.array([0.832, 0.814, 0.736, 0.662, 0.736, 0.717, 0.635, 0.648, 0.665, 0.608])
NOISY = Trajectory(ROWS, SOLVER, VERIFIER, np.full(10, 0.15), np.full(10, 0.05))


def chi_squared(psi, ratio):
    """The least chi-squared of both curves along `psi`, errors .15 and .05."""
    ones, none = np.ones_like(psi), np.zeros_like(psi)
    solver = np.stack([ones, none, psi], axis=1) / 0.15
    verifier = np.stack([none, ones, ratio * psi], axis=1) / 0.05
    basis, ys = np.concatenate([solver, verifier]), np.append(SOLVER / 0.15, VERIFIER / 0.05)
    coefficients = np.linalg.lstsq(basis, ys)[0]
    return np.sum((basis @ coefficients - ys) ** 2), coefficients


def test_slopes_of_opposite_signs_start_at_the_best_ratio_within_the_range():
    psi = -np.expm1(-0.1 * ROWS)
    with jax.enable_x64(True):
        curves = curves_of(NOISY, 10, np.stack([NOISY.solver_se, NOISY.verifier_se], axis=1))
        solver, verifier, ratio, slope = regress_rank_one(jnp.asarray(psi), curves)
    ratios = np.linspace(0.02, 0.98, 200)
    squares = [chi_squared(psi, each)[0] for each in ratios]
    best = int(np.argmin(squares))
    assert ratio == pytest.approx(ratios[best])
    np.testing.assert_allclose([solver, verifier, slope], chi_squared(psi, ratios[best])[1])


def test_a_fit_to_slopes_of_opposite_signs_finds_the_least_squares_of_all():
    shapes = [-np.expm1(-rate * ROWS) for rate in np.geomspace(1e-4, 50.0, 60)]
    least = min(chi_squared(psi, each)[0] for psi in shapes for each in np.linspace(0, 0.999, 40))
    result = fit(LinearLaw(), NOISY)
    assert result.source.raw.cost == pytest.approx(least, abs=0.1)
    # The verifier's fall draws the solver's curve down: its limit is not above the data.
    assert result.limits["solver"].interval == (None, pytest.approx(1.789, abs=0.01))
