"""The products of a linear layer, forward and backward, against NumPy's in float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgap.training.linear_products import dot_general, linear, weight_gradient


def arrays(in_size, out_size):
    rng = np.random.default_rng(0)
    shapes = ((2, 5, in_size), (in_size, out_size), (2, 5, out_size))
    return [rng.standard_normal(shape).astype(np.float32) for shape in shapes]


@pytest.mark.parametrize(("in_size", "out_size"), [(40, 2), (2, 40), (7, 7)])
def test_gradients_are_the_two_products(in_size, out_size):
    # Of a narrow output, as of an adapter, the output is transposed; of others the input is.
    x, kernel, dy = arrays(in_size, out_size)
    y, pullback = jax.vjp(linear, x, kernel)
    dx, dkernel = pullback(jnp.asarray(dy))
    wide_x, wide_kernel, wide_dy = (each.astype(np.float64) for each in (x, kernel, dy))
    np.testing.assert_allclose(y, wide_x @ wide_kernel, atol=1e-5)
    np.testing.assert_allclose(dx, wide_dy @ wide_kernel.T, atol=1e-4)
    np.testing.assert_allclose(dkernel, np.einsum("bsi,bso->io", wide_x, wide_dy), atol=1e-4)
    np.testing.assert_array_equal(dot_general(x, kernel, None, precision=None), y)


def test_a_sum_of_many_narrow_terms_is_in_float32():
    x, dy = jnp.ones((1000, 3), jnp.bfloat16), jnp.ones((1000, 2), jnp.bfloat16)
    found = weight_gradient(x, dy)
    assert found.dtype == jnp.float32
    np.testing.assert_array_equal(found, np.full((3, 2), 1000.0))
    kernel = jnp.ones((3, 2), jnp.bfloat16)
    assert jax.grad(lambda k: linear(x, k).sum().astype(jnp.float32))(kernel).dtype == jnp.bfloat16
