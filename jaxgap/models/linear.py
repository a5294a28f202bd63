"""Linear layers whose parameters may be narrower or wider than their input."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from flax import nnx


class Linear(nnx.Linear):
    """A linear layer whose bias is added in float32, as wide as its gradient must be summed.

    The gradient is a sum over all tokens: of equal terms in bfloat16 it stops growing at 256.
    """

    def __call__(self, x):
        y = self._product(x, self.kernel[...])
        if self.bias is None:
            return y
        return (at_least_float32(y) + at_least_float32(self.bias[...])).astype(y.dtype)

    def _product(self, x, kernel):
        # Training replaces `dot_general`. Adapters may have a wider type than the layer;
        # activations keep the layer's.
        kernel = kernel.astype(x.dtype)
        return self.dot_general(x, kernel, (((x.ndim - 1,), (0,)), ((), ())))


def at_least_float32(array: jax.Array) -> jax.Array:
    """The array, in float32 if it is narrower."""
    return array.astype(jnp.promote_types(array.dtype, jnp.float32))
