"""The type of a single real number, and what compiled functions ask of numbers."""

from typing import Any, TypeAlias, TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

RealScalar: TypeAlias = float | Float[Array, ""]
T = TypeVar("T")


def as_floats(tree: T) -> T:
    """The same with every real number an array of floats; what is no number stays as it is.

    Python floats would be compiled in as constants, one program for each value.
    """
    return jax.tree.map(lambda leaf: jnp.asarray(leaf, float) if _is_real(leaf) else leaf, tree)


def _is_real(leaf: Any) -> bool:
    """Whether it is a number or an array of numbers: an activation function or a key is not."""
    if not eqx.is_array_like(leaf):
        return False
    dtype = jnp.result_type(leaf)
    return jnp.issubdtype(dtype, jnp.floating) or jnp.issubdtype(dtype, jnp.integer)


def require_float64(caller: str) -> None:
    """Refuse 32-bit floats, which the tolerances of `caller` are beyond.

    **Raises:** `ValueError` if 64-bit floats are off.
    """
    if jnp.result_type(float) != jnp.float64:
        raise ValueError(
            f"{caller} needs 64-bit floats, which are off: call it inside "
            "`with jax.enable_x64(True):`, or set JAX_ENABLE_X64=1"
        )


def as_data(number: T) -> T | np.float64:
    """A Python number as one that a compiled program takes in; anything else as it is.

    Outside of what is compiled it is a float like any other.

    **Example:**

    >>> as_data(0.5) + 1
    np.float64(1.5)
    """
    return np.float64(number) if isinstance(number, float | int) else number
