"""The type of a real scalar, and conversions of numbers for compiled functions."""

from typing import Any, TypeAlias, TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

RealScalar: TypeAlias = float | Float[Array, ""]
T = TypeVar("T")


def as_floats(tree: T) -> T:
    """The same tree with every real number as a float array; other leaves are left alone.

    Python floats would be compiled in as constants, one program per value.
    """
    return jax.tree.map(lambda leaf: jnp.asarray(leaf, float) if _is_real(leaf) else leaf, tree)


def _is_real(leaf: Any) -> bool:
    """Whether a leaf is a number or an array of numbers; an activation function or key is not."""
    if not eqx.is_array_like(leaf):
        return False
    dtype = jnp.result_type(leaf)
    return jnp.issubdtype(dtype, jnp.floating) or jnp.issubdtype(dtype, jnp.integer)


def require_float64(caller: str) -> None:
    """Refuse 32-bit floats, which are too coarse for the tolerances of `caller`.

    **Raises:** `ValueError` if 64-bit floats are off.
    """
    if jnp.result_type(float) != jnp.float64:
        raise ValueError(
            f"{caller} needs 64-bit floats, which are off: call it inside "
            "`with jax.enable_x64(True):`, or set JAX_ENABLE_X64=1"
        )


def as_data(number: T) -> T | np.float64:
    """A Python number as a NumPy scalar, which a compiled program takes as an input.

    Anything else is returned unchanged. Outside compiled code the result behaves like a float.

    **Example:**

    >>> as_data(0.5) + 1
    np.float64(1.5)
    """
    return np.float64(number) if isinstance(number, float | int) else number
