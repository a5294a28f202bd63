"""`jnp.nextafter` in float64 on TPUs.

Diffrax steps to the float before a given time. A TPU has no float64: its compiler (libtpu 0.0.42)
emulates one by a pair of 32-bit floats, with about 48 bits of mantissa, and refuses
`jnp.nextafter`, which manipulates the bits. Solvers only need a number barely beyond the other, so
that is what TPUs get. Every other type and platform keeps JAX's own.
"""

import jax
import jax.numpy as jnp
from jax.extend.mlir.dialects import chlo
from jax.interpreters import mlir
from jaxtyping import Array, Float

_LARGEST = 2.0**127  # or half of it: the pair has the range of its floats
_RELATIVE_STEP = 2.0**-46
_SMALLEST_STEP = 2.0**-100  # small enough, and the low float of the pair does not underflow yet


def next_after(x: Float[Array, "*shape"], y: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """A number beyond `x` towards `y`, closer than `2^-45 |x|` or `2^-99`; `y` if `x == y`.

    An infinity counts as `2^127`; NaN gives NaN.
    """
    # Diffrax asks for the float before infinity.
    finite = jnp.where(jnp.isinf(x), jnp.sign(x) * _LARGEST, x)
    step = jnp.maximum(jnp.abs(finite) * _RELATIVE_STEP, _SMALLEST_STEP)
    moved = jnp.where(y > x, finite + step, jnp.where(y < x, finite - step, x + y))
    return jnp.where(x == y, y, moved)


def _lowered(context, x, y):
    if context.avals_in[0].dtype == jnp.float64:
        return mlir.lower_fun(next_after, multiple_results=False)(context, x, y)
    return [chlo.next_after(x, y)]


def register() -> None:
    """Make TPU programs lower float64 `jnp.nextafter` to this."""
    mlir.register_lowering(jax.lax.nextafter_p, _lowered, platform="tpu")
