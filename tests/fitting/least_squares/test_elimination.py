"""Gauss-Jordan elimination against LAPACK, and on matrices that are not positive definite."""

import jax
import numpy as np
import pytest

from jaxgap.fitting.least_squares.elimination import solve_positive_definite


@pytest.mark.parametrize("size", [1, 2, 5, 8])
def test_the_solution_is_lapacks(size):
    rng = np.random.default_rng(size)
    roots, right = rng.standard_normal((size + 3, size)), rng.standard_normal(size)
    matrix = roots.T @ roots
    with jax.enable_x64(True):
        found = solve_positive_definite(matrix, right)
    np.testing.assert_allclose(found, np.linalg.solve(matrix, right), rtol=1e-9)


@pytest.mark.parametrize("matrix", [[[1.0, 2.0], [2.0, 1.0]], [[0.0, 0.0], [0.0, 1.0]]])
def test_no_solution_is_finite_where_the_matrix_is_not_positive_definite(matrix):
    found = solve_positive_definite(np.array(matrix), np.ones(2))
    assert not np.isfinite(found).all()
