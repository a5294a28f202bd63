"""Bands of two straight lines, for which they are those of linear regression."""

from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np

from jaxgap.fitting import LevenbergMarquardt
from jaxgap.fitting.curves import curves_of
from jaxgap.fitting.intervals.bands import bands
from jaxgap.fitting.intervals.profile import Minimised
from jaxgap.trajectory import Trajectory

TS = np.linspace(0.0, 4.0, 11)
DESIGN = np.stack([np.ones_like(TS), TS], axis=1)
NOISE = np.random.default_rng(0).standard_normal((2, 11)) * 0.05
SOLVER, VERIFIER = 1 - 0.2 * TS + NOISE[0], 0.8 - 0.1 * TS + NOISE[1]
LATER = np.array([2.0, -1.0, 9.0, 4.0])
QUANTILE = 1.7


def lines(z, ts):
    return jnp.stack([z[0] + z[1] * ts, z[2] + z[3] * ts], axis=-1)


PROBLEM = SimpleNamespace(
    dynamics=lambda z, curves: z,
    curve_fn=lines,
    residuals=lambda z, curves: ((lines(z, curves.ts) - curves.ys) * curves.weights).ravel(),
    minimiser=LevenbergMarquardt(),
)


def found(solver, verifier, coordinates, variance):
    """The bands at `LATER` around a fit; `variance` is in the unit of the capabilities."""
    with jax.enable_x64(True):
        curves = jax.tree.map(jnp.asarray, curves_of(Trajectory(TS, solver, verifier), 16))
        variance = variance * jnp.max(curves.weights) ** 2
        z = jnp.asarray(coordinates)
        cost = jnp.sum(PROBLEM.residuals(z, curves) ** 2)
        fit = Minimised(z, z, cost, variance, z[None] + 1.0, curves)
        run = jax.jit(lambda fit, ts: bands(PROBLEM, fit, ts, jnp.asarray(QUANTILE)))
        return np.asarray(run(fit, jnp.asarray(LATER)))


def regression(series):
    """Intercept and slope, the sum of squares, the line at `LATER`, and its relative error."""
    coordinates, (squares,), _, _ = np.linalg.lstsq(DESIGN, series, rcond=None)
    rows = np.stack([np.ones_like(LATER), LATER], axis=1)
    spread = np.einsum("ti,ij,tj->t", rows, np.linalg.inv(DESIGN.T @ DESIGN), rows)
    return coordinates, squares, rows @ coordinates, np.sqrt(spread)


def test_bands_are_those_of_linear_regression():
    of_solver, squares, solver, error = regression(SOLVER)
    of_verifier, more_squares, verifier, _ = regression(VERIFIER)
    variance = (squares + more_squares) / (2 * len(TS) - 4)
    # Both lines have one design, and their errors are independent.
    estimates = np.stack([solver, verifier, solver - verifier], axis=1)
    errors = np.sqrt(variance) * error[:, None] * [1.0, 1.0, np.sqrt(2)]
    result = found(SOLVER, VERIFIER, [*of_solver, *of_verifier], variance)
    np.testing.assert_allclose(result[..., 0], estimates, rtol=1e-9)
    np.testing.assert_allclose(result[..., 1], estimates - QUANTILE * errors, rtol=1e-4)
    np.testing.assert_allclose(result[..., 2], estimates + QUANTILE * errors, rtol=1e-4)


def test_a_curve_without_measurements_has_no_ends():
    coordinates, squares, line, error = regression(SOLVER)
    variance = squares / (len(TS) - 2)
    result = found(SOLVER, None, [*coordinates, 0.5, 0.0], variance)
    width = QUANTILE * np.sqrt(variance) * error
    np.testing.assert_allclose(result[:, 0, 1:].T, [line - width, line + width], rtol=1e-4)
    np.testing.assert_array_equal(result[:, 1:, 1], -np.inf)
    np.testing.assert_array_equal(result[:, 1:, 2], np.inf)
