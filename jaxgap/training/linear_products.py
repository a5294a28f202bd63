"""Products of linear layers in a training step, laid out so that a CPU runs each at full speed.

A linear layer `y = x W` has two more products in the backward pass: `dx = dy W^T` and
`dW = x^T dy`. XLA folds the transposition of `x` into the latter. On a CPU this rules out the
fastest kernel, which needs the contracted axis of its first factor last: the product takes up to
twice as long as with `x^T` materialised first (experiments/LOG.md). Where `dy` is much narrower
than `x`, as in a low-rank adapter, `(dy^T x)^T` materialises less. On other backends the folded
form is best.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


def weight_gradient(
    x: Float[Array, "*batch in_size"], dy: Float[Array, "*batch out_size"]
) -> Float[Array, "in_size out_size"]:
    """The gradient `x^T dy` of the weights of `y = x W`, in float32."""
    x, dy = x.reshape(-1, x.shape[-1]), dy.reshape(-1, dy.shape[-1])
    return jax.lax.platform_dependent(
        x, dy, cpu=_written_out, default=lambda x, dy: _multiply(x.T, dy)
    )


def _written_out(
    x: Float[Array, "tokens in_size"], dy: Float[Array, "tokens out_size"]
) -> Float[Array, "in_size out_size"]:
    """`x^T dy` with whichever transpositions copy the fewest elements."""
    # The barriers keep XLA from folding a transposition back into the product.
    written = jax.lax.optimization_barrier
    if dy.size + x.shape[1] * dy.shape[1] < x.size:
        return written(_multiply(written(dy.T), x)).T
    return _multiply(written(x.T), dy)


def _multiply(a: Array, b: Array) -> Array:
    return jnp.matmul(a, b, preferred_element_type=jnp.float32)


@jax.custom_vjp
def linear(
    x: Float[Array, "*batch in_size"], kernel: Float[Array, "in_size out_size"]
) -> Float[Array, "*batch out_size"]:
    """The product `x W`, whose gradient with respect to `W` is :func:`weight_gradient`."""
    return x @ kernel


def _linear_forward(x, kernel):
    return x @ kernel, (x, kernel)


def _linear_backward(residuals, dy):
    x, kernel = residuals
    return dy @ kernel.T, weight_gradient(x, dy).astype(kernel.dtype)


linear.defvjp(_linear_forward, _linear_backward)


def dot_general(x: Array, kernel: Array, dimension_numbers: Any, **options: Any) -> Array:
    """:func:`linear` with the signature of `nnx.Linear`'s `dot_general`."""
    del dimension_numbers, options  # always the same for a plain linear layer
    return linear(x, kernel)
