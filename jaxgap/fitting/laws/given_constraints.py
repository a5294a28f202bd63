"""Constraints as a user gives them: checked, and translated into the terms of the equations."""

import math
from collections.abc import Mapping, Sequence

import jax
import jax.numpy as jnp
import numpy as np

from jaxgap.dynamics.types import as_data
from jaxgap.errors import InputError
from jaxgap.fitting.curves import Curves
from jaxgap.fitting.laws.constrained_law import ConstrainedLaw
from jaxgap.fitting.laws.constraints import Bounded, Constraint, Held, Mirrored, Tied
from jaxgap.fitting.laws.law import AbstractLaw, Parameter
from jaxgap.fitting.own_terms import own_interval, own_terms
from jaxgap.fitting.precision import double_precision
from jaxgap.trajectory import Kind
from jaxgap.trajectory.computable import LARGEST


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

        def values(start):
            return law.parameter_values(law.dynamics_at(start, curves))

        found = np.asarray(jax.vmap(values)(law.starts(curves)))
    return {
        index: float(found[0, index])
        for index, parameter in enumerate(law.parameters)
        if parameter.needs_verifier and np.ptp(found[:, index]) == 0
    }
