"""How far a number can go: exact for a linear model, whichever the start."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgap.fitting.intervals.reach import reach, start_geometry

RNG = np.random.default_rng(0)
BASIS = RNG.standard_normal((9, 3))
TARGETS = RNG.standard_normal(9)
NUMBER = np.array([1.0, -2.0, 0.5])


def reach_from(basis, start, limit, direction, number=NUMBER):
    with jax.enable_x64(True):
        start = jnp.asarray(start, float)
        geometry = start_geometry(lambda z: jnp.asarray(basis) @ z - TARGETS, start)
        gradient, edges = jnp.asarray(number), (jnp.asarray(limit), jnp.asarray(direction))
        return float(reach(geometry, gradient @ start, gradient, *edges))


@pytest.mark.parametrize("direction", [-1.0, 1.0])
@pytest.mark.parametrize("start", [[0.0, 0.0, 0.0], [1.0, 2.0, -3.0]])
def test_it_is_the_edge_of_the_ellipsoid_from_any_start_inside(start, direction):
    limit = 1.1 * np.sum((BASIS @ start - TARGETS) ** 2)
    found = reach_from(BASIS, start, limit, direction)
    # The edge by Lagrange's condition: there the squares' gradient is along the number's.
    best, (least,), _, _ = np.linalg.lstsq(BASIS, TARGETS, rcond=None)
    along = np.linalg.solve(BASIS.T @ BASIS, NUMBER)
    edge = best + direction * np.sqrt((limit - least) / (NUMBER @ along)) * along
    assert np.sum((BASIS @ edge - TARGETS) ** 2) == pytest.approx(limit)
    assert found == pytest.approx(NUMBER @ edge)


@pytest.mark.parametrize("direction", [-1.0, 1.0])
def test_a_start_beyond_the_limit_reaches_nowhere(direction):
    limit = 0.9 * np.sum(TARGETS**2)
    assert reach_from(BASIS, np.zeros(3), limit, direction) == -direction * np.inf


def test_a_number_that_the_residuals_do_not_determine_reaches_far():
    # The last two coordinates enter only as their sum, the number is their difference.
    basis = np.stack([BASIS[:, 0], BASIS[:, 1], BASIS[:, 1]], axis=1)
    limit, difference = 1.1 * np.sum(TARGETS**2), np.array([0.0, 1.0, -1.0])
    assert reach_from(basis, np.zeros(3), limit, 1.0, difference) > 1e5


def test_a_coordinate_without_any_effect_is_no_obstacle():
    basis = np.column_stack([BASIS[:, :2], np.zeros(9)])
    limit, first = 1.1 * np.sum(TARGETS**2), np.array([1.0, 0.0, 0.0])
    without = reach_from(BASIS[:, :2], np.zeros(2), limit, 1.0, first[:2])
    assert reach_from(basis, np.zeros(3), limit, 1.0, first) == pytest.approx(without)
