"""What a fit and its posterior differentiate passes check_grads, for every law."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from jaxgap.fitting import LevenbergMarquardt, LinearLaw, NeuralLaw, OdeCurves, closed_form
from jaxgap.fitting.draws.nuts import log_posterior, sampled_problem
from jaxgap.fitting.noise import weighted_curves
from jaxgap.fitting.problem import FitProblem
from jaxgap.fitting.selection import CANDIDATES
from jaxgap.trajectory import Trajectory

TS = np.linspace(0.0, 9.0, 10)
RUN = Trajectory(TS, 0.3 + 0.6 * np.exp(-0.4 * TS), 0.25 + 0.3 * np.exp(-0.4 * TS))


@pytest.fixture(scope="module", name="curves")
def _curves():
    with jax.enable_x64(True):
        return jax.tree.map(jnp.asarray, weighted_curves(RUN, 16).curves)


@pytest.mark.parametrize("law", CANDIDATES, ids=lambda law: law.name)
def test_residuals_and_numbers_of_every_law(law, curves):
    with jax.enable_x64(True):
        problem = FitProblem(law, closed_form, LevenbergMarquardt())
        start = problem.starts(curves)[2] + 0.05
        fn = jax.jit(lambda z: (problem.residuals(z, curves), problem.numbers(z, curves)))
        check_grads(fn, (start,), order=1, modes=["fwd", "rev"], rtol=1e-5)


@pytest.mark.parametrize("law", [LinearLaw(), NeuralLaw()], ids=lambda law: law.name)
def test_residuals_by_integration(law, curves):
    """Forward mode alone: that is what :class:`OdeCurves` is for."""
    with jax.enable_x64(True):
        problem = FitProblem(law, OdeCurves(), LevenbergMarquardt())
        start = problem.starts(curves)[2] + 0.05
        residuals = jax.jit(lambda z: problem.residuals(z, curves))
        check_grads(residuals, (start,), order=1, modes=["fwd"], rtol=1e-4)


def test_the_density_of_the_posterior(curves):
    with jax.enable_x64(True):
        own = FitProblem(LinearLaw(), closed_form, LevenbergMarquardt())
        problem = sampled_problem(own, curves, "uncertainty")
        start = problem.starts(curves)[2] + 0.05
        density = jax.jit(lambda z: log_posterior(problem, z, curves))
        check_grads(density, (start,), order=1, modes=["fwd", "rev"], rtol=1e-4)
