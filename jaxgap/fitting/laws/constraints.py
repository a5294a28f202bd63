"""Constraints on the reported parameters, whatever the law's own coordinates.

A parameter is held at a value, kept between bounds, or tied to another. The fit of a constrained
law searches in the remaining free parameters themselves.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxgap.dynamics.abstract_dynamics import AbstractDynamics
from jaxgap.dynamics.types import RealScalar, as_data
from jaxgap.errors import InputError
from jaxgap.fitting.curves import Curves
from jaxgap.fitting.laws.bijectors import AbstractBijector, Between, GreaterThan, LessThan, Real
from jaxgap.fitting.laws.law import AbstractLaw, Parameter, typical_location, typical_size
from jaxgap.fitting.own_terms import own_interval, own_terms
from jaxgap.fitting.precision import double_precision
from jaxgap.trajectory import Kind
from jaxgap.trajectory.computable import LARGEST

# How far inside its bounds a start lies, as a fraction of the typical size.
_INSIDE = 0.01


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


class Mirrored(NamedTuple):
    """A tie between accuracies as one between error rates; compares equal to any other of it."""

    fn: Callable[[Float[Array, ""]], Float[Array, ""]]
    mirrored: bool
    other_mirrored: bool

    def __call__(self, value: Float[Array, ""]) -> Float[Array, ""]:
        return own_terms(self.fn(own_terms(value, self.other_mirrored)), self.mirrored)


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
            of_law = zip(self.law.bijectors(curves), coordinates, strict=True)
            dynamics = self.law.dynamics([b.constrain(z) for b, z in of_law], curves)
            values = self.law.parameter_values(dynamics)
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


def constrained(
    law: AbstractLaw, constraints: Mapping[str, Constraint], curves: Curves, kind: Kind
) -> ConstrainedLaw:
    """A law with constraints on its reported parameters.

    **Arguments:**

    - `law`: any law.
    - `constraints`: by parameter name.
    - `curves`: an example of what will be fitted: without a verifier the law's placeholders are
        held.
    - `kind`: of the trajectory, in whose terms the constraints are.

    **Raises:**

    `InputError` (a `ValueError`) for unknown names, parameters of a verifier where there is none,
    bounds that leave no room, values and ties to held values outside the parameter's range, numbers
    beyond 1e50, ties to a parameter that is itself tied, and if no parameter is left free.
    """
    names = [parameter.name for parameter in law.parameters]
    check_names(constraints, names, "constraints")
    check_visible([*constraints, *_ties(constraints)], law, curves, "constraints")
    found: list[Constraint | None] = []
    parameters = []
    for parameter in law.parameters:
        constraint = constraints.get(parameter.name)
        _check(parameter, constraint, constraints, names)
        other = constraint.to if isinstance(constraint, Tied) else None
        other_mirrored = any(p.name == other and p.is_mirrored(kind) for p in law.parameters)
        found.append(_in_equations_terms(constraint, parameter.is_mirrored(kind), other_mirrored))
        parameters.append(_narrowed(parameter, found[-1]))
    for index, value in _placeholders(law, curves).items():
        found[index] = Held(as_data(value))
    if all(isinstance(each, Held | Tied) for each in found):
        raise InputError("constraints: all parameters are held or tied, so none is left to fit")
    return ConstrainedLaw(
        law=law, constraints=tuple(found), name=law.name, parameters=tuple(parameters)
    )


def check_names(given: Mapping[str, object], names: Sequence[str], argument: str) -> None:
    """Raise for names that are not parameters of the law."""
    unknown = [name for name in given if name not in names]
    if unknown:
        raise InputError(
            f"{argument}: the law has no parameter {unknown[0]!r}; it has {', '.join(names)}"
        )


def check_visible(names: Sequence[str], law: AbstractLaw, curves: Curves, argument: str) -> None:
    """Raise for parameters that the curves cannot show, those of a verifier they do not have."""
    hidden = [p.name for p in law.parameters if p.needs_verifier and not curves.has_verifier]
    asked = [name for name in names if name in hidden]
    if asked:
        raise InputError(f"{argument}: {asked[0]} needs a verifier, and the trajectory has none")


def _ties(constraints: Mapping[str, Constraint]) -> list[str]:
    """The parameters to which others are tied."""
    return [each.to for each in constraints.values() if isinstance(each, Tied)]


def _check(
    parameter: Parameter,
    constraint: Constraint | None,
    constraints: Mapping[str, Constraint],
    names: Sequence[str],
) -> None:
    name, lower, upper = parameter.name, parameter.lower, parameter.upper
    numbers = constraint if isinstance(constraint, Held | Bounded) else ()
    finite = (float(number) for number in numbers if np.isfinite(number))
    largest = max(finite, key=abs, default=0.0)
    if abs(largest) > LARGEST:
        raise InputError(
            f"constraints: {largest:g} for {name} is beyond {LARGEST:g}, too large to compute with"
        )
    match constraint:
        case Held(value) if not lower <= value <= upper or not np.isfinite(value):
            raise InputError(
                f"constraints: {name} cannot be held at {value:g}: it must be in "
                f"[{lower:g}, {upper:g}]"
            )
        case Bounded(low, high) if not max(low, lower) < min(high, upper):
            raise InputError(
                f"constraints: the bounds {low:g} and {high:g} leave no room for {name}, which "
                f"must be in [{lower:g}, {upper:g}]"
            )
        case Tied(to) if to not in names or to == name:
            raise InputError(f"constraints: {name} cannot be tied to {to!r}")
        case Tied(to) if isinstance(constraints.get(to), Tied):
            raise InputError(f"constraints: {name} is tied to {to}, which is tied itself")
        case Tied(to, fn) if isinstance(held := constraints.get(to), Held):
            with double_precision():
                value = float(fn(jnp.asarray(held.value)))
            if not lower <= value <= upper or not np.isfinite(value):
                raise InputError(
                    f"constraints: {name} is tied to {to}, which makes it {value:g}: it must be in "
                    f"[{lower:g}, {upper:g}]"
                )
        case _:
            pass


def _in_equations_terms(
    constraint: Constraint | None, mirrored: bool, other_mirrored: bool
) -> Constraint | None:
    """A constraint on an accuracy as one on the error rate."""
    match constraint:
        case Held(value):
            return Held(as_data(own_terms(value, mirrored)))
        case Bounded(lower, upper):
            ends = own_interval(lower, upper, mirrored)
            return Bounded(*(end if math.isinf(end) else as_data(end) for end in ends))
        case Tied(to, fn) if mirrored or other_mirrored:
            return Tied(to, Mirrored(fn, mirrored, other_mirrored))
        case _:
            return constraint


def _narrowed(parameter: Parameter, constraint: Constraint | None) -> Parameter:
    if not isinstance(constraint, Bounded):
        return parameter
    return parameter._replace(
        lower=max(parameter.lower, constraint.lower), upper=min(parameter.upper, constraint.upper)
    )


def _placeholders(law: AbstractLaw, curves: Curves) -> dict[int, float]:
    """Parameters that such curves cannot show and that are equal at all of the law's starts."""
    if curves.has_verifier:
        return {}
    with double_precision():
        of_law = law.bijectors(curves)

        def values(start):
            coordinates = zip(of_law, start, strict=True)
            return law.parameter_values(
                law.dynamics([b.constrain(z) for b, z in coordinates], curves)
            )

        found = np.asarray(jax.vmap(values)(law.starts(curves)))
    return {
        index: float(found[0, index])
        for index, parameter in enumerate(law.parameters)
        if parameter.needs_verifier and np.ptp(found[:, index]) == 0
    }


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
