"""Constraints on a law's reported parameters: held at a value, kept between bounds, or tied."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Array, Float

from jaxgap.fitting.own_terms import own_terms


class Held(NamedTuple):
    """A parameter held at the given value, in the report's terms."""

    value: float


class Bounded(NamedTuple):
    """A parameter between bounds, in the report's terms."""

    lower: float = -np.inf
    upper: float = np.inf


def unchanged(value: Float[Array, ""]) -> Float[Array, ""]:
    """The tie of two parameters that are equal."""
    return value


class Tied(NamedTuple):
    """A parameter that is a function of another one, by default equal to it.

    `fn` maps the other's value to this one's, both as reported, and is differentiated by JAX. A
    value outside this one's range is moved to its nearest end.
    """

    to: str
    fn: Callable[[Float[Array, ""]], Float[Array, ""]] = unchanged


Constraint = Held | Bounded | Tied


def with_floats(constraint: Constraint) -> Constraint:
    """The same constraint, with Python's numbers in place of arrays and of NumPy's float32."""
    if isinstance(constraint, Tied):
        return constraint
    kinds = np.generic | np.ndarray | Array
    numbers = (float(each) if isinstance(each, kinds) else each for each in constraint)
    return type(constraint)(*numbers)


class Mirrored(NamedTuple):
    """A tie between accuracies as one between error rates; compares equal to any other of it."""

    fn: Callable[[Float[Array, ""]], Float[Array, ""]]
    mirrored: bool
    other_mirrored: bool

    def __call__(self, value: Float[Array, ""]) -> Float[Array, ""]:
        return own_terms(self.fn(own_terms(value, self.other_mirrored)), self.mirrored)
