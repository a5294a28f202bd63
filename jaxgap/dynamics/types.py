"""The type of a single real number, and how numbers are handed to compiled functions."""

from typing import TypeAlias, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

RealScalar: TypeAlias = float | Float[Array, ""]
T = TypeVar("T")


def as_floats(tree: T) -> T:
    """The same with every leaf an array of floats.

    Python floats would be compiled in as constants, one program for each value.
    """
    return jax.tree.map(lambda leaf: jnp.asarray(leaf, float), tree)


def as_data(number: T) -> T | np.float64:
    """A Python number as one that a compiled program takes in; anything else as it is.

    Outside of what is compiled it is a float like any other.

    **Example:**

    >>> as_data(0.5) + 1
    np.float64(1.5)
    """
    return np.float64(number) if isinstance(number, float | int) else number
