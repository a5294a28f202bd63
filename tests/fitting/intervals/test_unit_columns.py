"""Columns of unit length: what they were divided by gives the matrix back, and zero stays zero."""

import jax.numpy as jnp
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxgap.fitting.intervals.unit_columns import unit_columns
from jaxgap.fitting.precision import double_precision


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 1000), exponents=st.lists(st.floats(-60, 60), min_size=3, max_size=3))
def test_columns_of_any_size_have_unit_length(seed, exponents):
    matrix = np.random.default_rng(seed).standard_normal((4, 3)) * 10.0 ** np.array(exponents)
    with double_precision():
        columns, norms = map(np.asarray, unit_columns(jnp.asarray(matrix)))
    np.testing.assert_allclose(np.linalg.norm(columns, axis=0), 1.0, rtol=1e-12)
    np.testing.assert_allclose(columns * norms, matrix, rtol=1e-12)


def test_a_column_without_effect_is_left():
    columns, norms = unit_columns(jnp.array([[3.0, 0.0], [4.0, 0.0]]))
    np.testing.assert_allclose(columns, [[0.6, 0.0], [0.8, 0.0]], rtol=1e-6)
    assert norms.tolist() == [5.0, 1.0]
