"""Correlations against the covariance of linear regression."""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from jaxgap.fitting.intervals.correlations import correlation_matrix

NUMBERS = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [1.0, -2.0, 0.0], [0.3, 0.0, 1.0]])
entries = st.floats(-1, 1, width=32)


class Linear(NamedTuple):
    """Residuals and numbers that are linear in the coordinates; the data are the design."""

    def residuals(self, z, design):
        return design @ z - 1.0

    def numbers(self, z, design):
        return jnp.asarray(NUMBERS) @ z + 5.0


def correlations(design, coordinates=(0.5, -1.0, 2.0)):
    return correlation_matrix(Linear(), design, np.array(coordinates))


def by_inversion(design, numbers=NUMBERS):
    covariance = numbers @ np.linalg.inv(design.T @ design) @ numbers.T
    sizes = np.sqrt(np.diag(covariance))
    return covariance / np.outer(sizes, sizes)


@given(arrays(float, (7, 3), elements=entries), st.sampled_from([1.0, 1e-6, 1e6]))
def test_correlations_are_those_of_linear_regression(noise, unit):
    # The identity keeps the design from being singular; units of coordinates do not matter.
    design = (np.eye(7, 3) + 0.2 * noise) * [1.0, unit, 1.0]
    expected = by_inversion(design / [1.0, unit, 1.0], NUMBERS / [1.0, unit, 1.0])
    np.testing.assert_allclose(correlations(design), expected, atol=1e-9)


def test_a_coordinate_without_effect_correlates_with_nothing():
    design = np.random.default_rng(0).standard_normal((7, 3)) * [1.0, 0.0, 1.0]
    found = correlations(design)
    assert not found[1].any()
    kept = [0, 3]
    expected = by_inversion(design[:, [0, 2]], NUMBERS[kept][:, [0, 2]])
    np.testing.assert_allclose(found[np.ix_(kept, kept)], expected, atol=1e-12)


def test_two_coordinates_that_cannot_be_told_apart_share_their_correlations():
    design = np.random.default_rng(0).standard_normal((7, 3))
    design[:, 1] = 2 * design[:, 0]
    # Only z_0 + 2 z_1 is determined, and the pseudo-inverse takes the shortest solution.
    assert correlations(design)[0, 1] == pytest.approx(1.0, abs=1e-12)


def test_a_derivative_that_is_not_finite_leaves_no_correlation():
    assert np.isnan(correlations(np.full((7, 3), np.inf))).all()
