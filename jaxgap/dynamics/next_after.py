"""The float next to another, in float64 on TPUs.

Diffrax steps to the float before a time. A TPU has no float64: its compiler (libtpu 0.0.42) makes
each number of two of 32 bits, about 48 bits long, and refuses `jnp.nextafter`, which counts the
bits of one. What solvers need of it is a number that is beyond the other, and barely; so that is
what TPUs are given. Every other type and platform keeps JAX's own.
"""

import jax
import jax.numpy as jnp
from jax.extend.mlir.dialects import chlo
from jax.interpreters import mlir
from jaxtyping import Array, Float

_RELATIVE_STEP = 2.0**-46
_SMALLEST_STEP = 2.0**-100  # of two 32-bit numbers the second is smaller still, and not yet zero


def next_after(x: Float[Array, "*shape"], y: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """A number beyond `x` on the way to `y`, nearer than `2^-45 |x|` or `2^-99`; `y` if equal."""
    step = jnp.maximum(jnp.abs(x) * _RELATIVE_STEP, _SMALLEST_STEP)
    return jnp.where(y > x, x + step, jnp.where(y < x, x - step, y))


def _lowered(context, x, y):
    if context.avals_in[0].dtype == jnp.float64:
        return mlir.lower_fun(next_after, multiple_results=False)(context, x, y)
    return [chlo.next_after(x, y)]


def register() -> None:
    """Have programs for TPUs compute `jnp.nextafter` of float64 so."""
    mlir.register_lowering(jax.lax.nextafter_p, _lowered, platform="tpu")
