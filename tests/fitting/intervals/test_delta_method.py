"""Standard errors against those of linear regression, where the delta method is exact."""

from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgap.fitting.intervals.delta_method import numbers_with_errors, standard_errors
from jaxgap.fitting.intervals.profile import Minimised

RNG = np.random.default_rng(0)
BASIS, SLOPES = RNG.standard_normal((9, 3)) * [1.0, 1e-4, 1e3], RNG.standard_normal((2, 3))
COORDINATES = RNG.standard_normal(3)
VARIANCE = 0.04
LINEAR = SimpleNamespace(residuals=lambda z, data: data @ z)


def a_fit(basis):
    at = jnp.asarray(COORDINATES)
    return Minimised(at, at, 0.0, VARIANCE, None, jnp.asarray(basis))


def test_errors_are_those_of_linear_regression():
    covariance = VARIANCE * np.linalg.inv(BASIS.T @ BASIS)
    exact = np.sqrt(np.diag(SLOPES @ covariance @ SLOPES.T))
    with jax.enable_x64(True):
        values, errors = numbers_with_errors(
            LINEAR, a_fit(BASIS), lambda z: jnp.asarray(SLOPES) @ z
        )
    np.testing.assert_allclose(values, SLOPES @ COORDINATES, rtol=1e-12)
    np.testing.assert_allclose(errors, exact, rtol=1e-9)


def test_a_coordinate_without_effect_leaves_the_errors_of_the_others():
    with jax.enable_x64(True):
        without = standard_errors(LINEAR, a_fit(BASIS * [1, 0, 1]), jnp.eye(3))
    covariance = VARIANCE * np.linalg.inv(BASIS[:, [0, 2]].T @ BASIS[:, [0, 2]])
    np.testing.assert_allclose(without[np.array([0, 2])], np.sqrt(np.diag(covariance)), rtol=1e-9)
    assert np.isfinite(without[1])


@pytest.mark.parametrize("factor", [0.5, 3.0])
def test_errors_grow_with_the_noise(factor):
    with jax.enable_x64(True):
        plain = standard_errors(LINEAR, a_fit(BASIS), jnp.asarray(SLOPES))
        louder = a_fit(BASIS)._replace(variance=VARIANCE * factor**2)
        np.testing.assert_allclose(
            standard_errors(LINEAR, louder, jnp.asarray(SLOPES)), factor * plain, rtol=1e-9
        )
