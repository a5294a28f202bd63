"""The residuals under every noise are differentiable as promised, in both modes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from jaxgap.fitting import (
    Binomial,
    EstimatedScale,
    GivenScale,
    LevenbergMarquardt,
    LinearLaw,
    LogNormal,
    ScalePerSeries,
    StudentT,
    closed_form,
)
from jaxgap.fitting.noise import weighted_curves
from jaxgap.fitting.priors import IndexedPrior
from jaxgap.fitting.problem import FitProblem
from jaxgap.trajectory import Trajectory

TS = np.linspace(0.0, 9.0, 10)
ACCURACIES = np.round(40 * (0.9 - 0.6 * np.exp(-0.4 * TS))) / 40
ACCURACIES[0] = 0.0
RUN = Trajectory(TS, ACCURACIES, 0.95 - 0.3 * np.exp(-0.4 * TS), kind="accuracy", num_items=40)


@pytest.mark.parametrize(
    "noise",
    [GivenScale(0.05, 0.05), EstimatedScale(), ScalePerSeries(), StudentT(), Binomial()],
    ids=lambda noise: noise.name,
)
def test_residuals_pass_check_grads(noise):
    with jax.enable_x64(True):
        curves = jax.tree.map(jnp.asarray, weighted_curves(RUN, 16, noise).curves)
        prior = IndexedPrior(LogNormal(0.3, 0.5), 0, False)
        problem = FitProblem(LinearLaw(), closed_form, LevenbergMarquardt(), noise, (prior,))
        # Off the curve through the first point, where counts of none leave the inside.
        start = problem.starts(curves)[2] - 0.05
        predicted = closed_form(problem.dynamics(start, curves), curves.ts)
        assert 0 < predicted.min() < predicted.max() < 1
        residuals = jax.jit(lambda z: problem.residuals(z, curves))
        check_grads(residuals, (start,), order=1, modes=["fwd", "rev"], rtol=1e-5)
        assert np.isfinite(jax.jacfwd(residuals)(start)).all()
