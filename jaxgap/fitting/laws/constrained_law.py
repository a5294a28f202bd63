"""A law with some parameters held, bounded or tied: its coordinates are the free parameters."""

import math
from collections.abc import Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxgap.dynamics.abstract_dynamics import AbstractDynamics
from jaxgap.dynamics.types import RealScalar
from jaxgap.fitting.curves import Curves
from jaxgap.fitting.laws.bijectors import AbstractBijector, Between, GreaterThan, LessThan, Real
from jaxgap.fitting.laws.constraints import Constraint, Held, Tied
from jaxgap.fitting.laws.law import AbstractLaw, Parameter, typical_location, typical_size

# How far inside its bounds a start lies, as a fraction of the typical size.
_INSIDE = 0.01


class ConstrainedLaw(AbstractLaw):
    """A law whose coordinates are those of its free parameters.

    `constraints` has one entry for each parameter of `law`, in the equations' terms. Its numbers
    and the bounds of `parameters` are inputs of a compiled program: new values do not recompile it.
    """

    law: AbstractLaw
    constraints: tuple[Constraint | None, ...]
    name: str = eqx.field(static=True)
    parameters: tuple[Parameter, ...]

    def bijectors(self, curves: Curves) -> tuple[AbstractBijector, ...]:
        return tuple(_bijector(self.parameters[index], curves) for index in self.free)

    def starts(self, curves: Curves) -> Float[Array, "starts coordinates"]:
        def start(coordinates):
            values = self.law.parameter_values(self.law.dynamics_at(coordinates, curves))
            pairs = zip(self.parameters, values, strict=True)
            inner = [_inside(parameter, value, curves) for parameter, value in pairs]
            return self.coordinates(jnp.stack(inner), curves)

        return jax.vmap(start)(self.law.starts(curves))

    def coordinates(
        self, values: Float[Array, " parameters"], curves: Curves
    ) -> Float[Array, " coordinates"]:
        """The coordinates of the given parameter values, which must lie within their bounds."""
        bijectors = zip(self.free, self.bijectors(curves), strict=True)
        return jnp.stack([bijector.unconstrain(values[index]) for index, bijector in bijectors])

    def dynamics(self, values: Sequence[Float[Array, ""]], curves: Curves) -> AbstractDynamics:
        return self.law.from_parameters(self._all(values), curves)

    def parameter_values(self, dynamics: AbstractDynamics) -> Float[Array, " parameters"]:
        return self.law.parameter_values(dynamics)

    def from_parameters(
        self, values: Sequence[RealScalar] | Float[Array, " parameters"], curves: Curves
    ) -> AbstractDynamics:
        return self.law.from_parameters(values, curves)

    @property
    def free(self) -> tuple[int, ...]:
        """The indices of the parameters that have a coordinate."""
        return tuple(
            index
            for index, constraint in enumerate(self.constraints)
            if not isinstance(constraint, Held | Tied)
        )

    @property
    def held(self) -> tuple[int, ...]:
        """The indices of the parameters that are held, or tied to one that is."""
        names = [parameter.name for parameter in self.parameters]

        def is_held(constraint: Constraint | None) -> bool:
            if isinstance(constraint, Tied):
                constraint = self.constraints[names.index(constraint.to)]
            return isinstance(constraint, Held)

        return tuple(index for index, each in enumerate(self.constraints) if is_held(each))

    def _all(self, free: Sequence[Float[Array, ""]]) -> list[Float[Array, ""]]:
        """All parameters from the free ones."""
        values = dict(zip(self.free, free, strict=True))
        names = [parameter.name for parameter in self.parameters]
        for index, constraint in enumerate(self.constraints):
            if isinstance(constraint, Held):
                values[index] = jnp.asarray(constraint.value)
        for index, parameter in enumerate(self.parameters):
            constraint = self.constraints[index]
            if isinstance(constraint, Tied):
                tied = jnp.asarray(constraint.fn(values[names.index(constraint.to)]))
                values[index] = jnp.clip(tied, parameter.lower, parameter.upper)
        return [values[index] for index in range(len(names))]


def _bijector(parameter: Parameter, curves: Curves) -> AbstractBijector:
    size = typical_size(parameter, curves)
    match _is_bound(parameter.lower), _is_bound(parameter.upper):
        case True, True:
            return Between.around(
                parameter.lower, parameter.upper, _typical_between(parameter, curves)
            )
        case True, False:
            return GreaterThan(parameter.lower, size)
        case False, True:
            return LessThan(parameter.upper, size)
        case _:
            return Real(typical_location(parameter, curves), size)


def _is_bound(end: RealScalar) -> bool:
    """Whether the end is a bound, that is finite; a traced number counts as finite."""
    return not (isinstance(end, float) and math.isinf(end))


def _typical_between(parameter: Parameter, curves: Curves) -> Float[Array, ""]:
    """About where a parameter with two bounds lies: a typical size off both, or in the middle.

    Between wide bounds the middle may be a thousand typical sizes away.
    """
    off = jnp.minimum(typical_size(parameter, curves), 0.5 * (parameter.upper - parameter.lower))
    return jnp.clip(
        typical_location(parameter, curves), parameter.lower + off, parameter.upper - off
    )


def _inside(parameter: Parameter, value: Float[Array, ""], curves: Curves) -> Float[Array, ""]:
    """The value, clipped to the interior of its bounds."""
    size = jnp.minimum(parameter.upper - parameter.lower, typical_size(parameter, curves))
    return jnp.clip(value, parameter.lower + _INSIDE * size, parameter.upper - _INSIDE * size)
