"""The minimisers of a fit against SciPy and Optimistix on problems with known difficulties."""

import jax
import jax.numpy as jnp
import numpy as np
import optimistix as optx
import pytest
from scipy.optimize import least_squares

from jaxgap.fitting import LevenbergMarquardt, Minimum, OptimistixMinimiser
from jaxgap.fitting.least_squares.minimiser import minimise

TS = np.linspace(0.0, 2.0, 12)


def rosenbrock(z, args):
    return jnp.stack([10 * (z[1] - z[0] ** 2), args - z[0]])


def exponential(z, args):
    return z[0] + z[1] * jnp.exp(-jnp.exp(z[2]) * TS) - args


def powell_singular(z, args):
    return jnp.stack(
        [z[0] + 10 * z[1], args * (z[2] - z[3]), (z[1] - 2 * z[2]) ** 2, (z[0] - z[3]) ** 2]
    )


PROBLEMS = {
    "rosenbrock": (rosenbrock, [-1.2, 1.0], 1.0),
    "exponential": (
        exponential,
        [0.0, 1.0, 1.0],
        0.2 + np.exp(-0.7 * TS) + 0.01 * np.random.default_rng(0).standard_normal(12),
    ),
    "powell singular": (powell_singular, [3.0, -1.0, 0.0, 1.0], 5.0**0.5),
}


@pytest.fixture(autouse=True)
def _float64():
    with jax.enable_x64(True):
        yield


def solve_one(minimiser, residual_fn, start, args):
    found = minimise(minimiser, residual_fn, jnp.array([start]), lambda problem: args)
    return Minimum(*(leaf[0] for leaf in found))


@pytest.mark.parametrize("name", PROBLEMS)
def test_reaches_the_minimum_of_others(name):
    residual_fn, start, args = PROBLEMS[name]
    minimum = solve_one(LevenbergMarquardt(), residual_fn, start, args)
    scipy = least_squares(lambda z: np.asarray(residual_fn(z, args)), start, xtol=1e-15, ftol=1e-15)
    other = OptimistixMinimiser(optx.LevenbergMarquardt(rtol=1e-12, atol=1e-12))
    optimistix = solve_one(other, residual_fn, start, args)
    assert minimum.converged
    np.testing.assert_allclose(minimum.cost, 2 * scipy.cost, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(minimum.cost, optimistix.cost, rtol=1e-9, atol=1e-12)


def test_each_problem_of_a_batch_gets_its_own_data():
    residual_fn, start, args = PROBLEMS["exponential"]
    data = jnp.asarray(args) + 0.1 * jnp.arange(5.0)[:, None]
    starts = jnp.tile(jnp.array(start), (5, 1))
    batch = minimise(LevenbergMarquardt(), residual_fn, starts, lambda problem: data[problem], 4)
    for row in range(4):
        single = solve_one(LevenbergMarquardt(), residual_fn, start, data[row])
        np.testing.assert_allclose(batch.coordinates[row], single.coordinates, rtol=1e-6)
    assert batch.num_steps[4] == 0


def test_a_start_at_nan_fails_and_says_so():
    minimum = solve_one(LevenbergMarquardt(), lambda z, _: jnp.log(z), [-1.0], None)
    assert not minimum.converged
    assert not np.isfinite(minimum.cost)


def test_running_out_of_steps_is_said():
    residual_fn, start, args = PROBLEMS["rosenbrock"]
    minimum = solve_one(LevenbergMarquardt(max_steps=3), residual_fn, start, args)
    assert not minimum.converged
    assert minimum.num_steps == 3


def test_short_steps_alone_are_no_minimum():
    """Against a wall of NaN the steps shrink to nothing while the gradient stays."""
    wall = lambda z, _: jnp.where(z < 1, jnp.nan, z)  # noqa: E731
    assert not solve_one(LevenbergMarquardt(), wall, [1.0], None).converged


def test_no_coordinate_moves_further_than_is_sensible():
    """The full first step goes far below zero, where the curve is as good as flat."""
    slope = lambda z, _: 1 + jnp.tanh(z - 3) + 0.01 * z  # noqa: E731
    near = solve_one(LevenbergMarquardt(max_change=4.0), slope, [5.5], None)
    first = minimise(LevenbergMarquardt(max_steps=1), slope, jnp.array([[5.5]]))
    assert abs(first.coordinates[0, 0] - 5.5) <= 4.0 + 1e-12
    assert near.converged


def test_a_coordinate_without_effect_does_not_hold_the_others():
    """Its own step, of no matter what length, is not what shortens theirs."""
    nearly = lambda z, _: jnp.stack([z[0] - 3.0, 1e-15 * (z[1] - 1e9), jnp.ones(())])  # noqa: E731
    minimum = solve_one(LevenbergMarquardt(), nearly, [0.0, 0.0], None)
    assert minimum.converged
    assert minimum.coordinates[0] == pytest.approx(3.0)
    assert minimum.num_steps < 20
