"""What is passed to a fit, checked before anything is computed."""

from collections.abc import Mapping
from types import UnionType

from jaxgap.errors import InputError
from jaxgap.fitting.laws.constraints import Constraint
from jaxgap.fitting.laws.law import AbstractLaw
from jaxgap.fitting.noise import AbstractNoise
from jaxgap.fitting.priors import AbstractPrior


def check_law(law: AbstractLaw) -> None:
    """Refuse what is not a law.

    **Raises:** `InputError`.
    """
    _check(law, AbstractLaw, "law must be a law such as LinearLaw()")


def check_options(
    noise: AbstractNoise | None,
    constraints: Mapping[str, Constraint],
    priors: Mapping[str, AbstractPrior],
) -> None:
    """Refuse noise, constraints and priors that are something else, such as a bare number.

    **Raises:** `InputError`.
    """
    _check(noise, AbstractNoise | None, "noise must be a noise model such as StudentT()")
    for name, constraint in constraints.items():
        _check(constraint, Constraint, f"constraints: {name} must be Held, Bounded or Tied")
    for name, prior in priors.items():
        _check(prior, AbstractPrior, f"priors: {name} must be Normal or LogNormal")


def check_level(level: float) -> None:
    """Refuse the level of an interval unless 0 < level < 1.

    **Raises:** `InputError`.
    """
    if not 0 < level < 1:
        raise InputError(f"level must lie between 0 and 1, got {level}")


def _check(value: object, wanted: type | UnionType, wish: str) -> None:
    if not isinstance(value, wanted):
        got = f"the class {value.__name__}" if isinstance(value, type) else repr(value)
        raise InputError(f"{wish}, got {got}")
