"""The type of a single real number, and how numbers are handed to compiled functions."""

from typing import TypeAlias, TypeVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

RealScalar: TypeAlias = float | Float[Array, ""]
T = TypeVar("T")


def as_floats(tree: T) -> T:
    """The same with every leaf an array of floats.

    Python floats would be compiled in as constants, one program for each value.
    """
    return jax.tree.map(lambda leaf: jnp.asarray(leaf, float), tree)
