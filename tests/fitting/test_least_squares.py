"""The built-in minimiser against SciPy and Optimistix on problems with known difficulties."""

import jax
import jax.numpy as jnp
import numpy as np
import optimistix as optx
import pytest
from scipy.optimize import least_squares

from jaxgap.fitting import LevenbergMarquardt, OptimistixMinimiser

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


@pytest.mark.parametrize("name", PROBLEMS)
def test_reaches_the_minimum_of_others(name):
    residual_fn, start, args = PROBLEMS[name]
    minimum = LevenbergMarquardt()(residual_fn, jnp.array(start), args)
    scipy = least_squares(lambda z: np.asarray(residual_fn(z, args)), start, xtol=1e-15, ftol=1e-15)
    other = OptimistixMinimiser(optx.LevenbergMarquardt(rtol=1e-12, atol=1e-12))
    optimistix = other(residual_fn, jnp.array(start), args)
    assert minimum.converged
    np.testing.assert_allclose(minimum.cost, 2 * scipy.cost, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(minimum.cost, optimistix.cost, rtol=1e-9, atol=1e-12)


def test_batched_lanes_are_the_single_solves():
    residual_fn, start, args = PROBLEMS["exponential"]
    starts = jnp.array(start) + jnp.arange(5.0)[:, None] / 10
    solve = LevenbergMarquardt()
    batched = jax.jit(jax.vmap(lambda z: solve(residual_fn, z, args)))(starts)
    for lane in range(5):
        single = solve(residual_fn, starts[lane], args)
        np.testing.assert_allclose(batched.coordinates[lane], single.coordinates, rtol=1e-6)


def test_a_step_into_nan_is_refused():
    minimum = LevenbergMarquardt()(lambda z, _: jnp.log(z) + 3, jnp.array([5.0]), None)
    assert minimum.converged
    np.testing.assert_allclose(minimum.coordinates, np.exp(-3), rtol=1e-6)


def test_a_start_at_nan_fails_and_says_so():
    minimum = LevenbergMarquardt()(lambda z, _: jnp.log(z), jnp.array([-1.0]), None)
    assert not minimum.converged


def test_running_out_of_steps_is_said():
    residual_fn, start, args = PROBLEMS["rosenbrock"]
    minimum = LevenbergMarquardt(max_steps=3)(residual_fn, jnp.array(start), args)
    assert not minimum.converged
    assert minimum.num_steps == 3


def test_a_coordinate_without_effect_stays():
    minimum = LevenbergMarquardt()(lambda z, _: z[:1] - 2, jnp.array([0.0, 7.0]), None)
    np.testing.assert_allclose(minimum.coordinates, [2.0, 7.0], rtol=1e-6)
