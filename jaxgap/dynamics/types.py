"""The type of a single real number: a Python float, or a traced or concrete array of no shape."""

from typing import TypeAlias

from jaxtyping import Array, Float

RealScalar: TypeAlias = float | Float[Array, ""]
