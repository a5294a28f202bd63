"""Halton's points against SciPy's, and in a box."""

import numpy as np
import pytest
from scipy.stats import qmc

from jaxgap.fitting.laws.quasi_random import quasi_random


@pytest.mark.parametrize("dimensions", [1, 2, 5])
def test_the_points_are_scipys(dimensions):
    theirs = qmc.Halton(dimensions, scramble=False).random(41)[1:]  # without the corner
    np.testing.assert_allclose(quasi_random(40, [(0.0, 1.0)] * dimensions), theirs, rtol=1e-12)


def test_a_box_stretches_the_unit_cube():
    unit = quasi_random(9, [(0.0, 1.0), (0.0, 1.0)])
    box = quasi_random(9, [(-2.0, 4.0), (10.0, 11.0)])
    np.testing.assert_allclose(box, unit * [6.0, 1.0] + [-2.0, 10.0])
