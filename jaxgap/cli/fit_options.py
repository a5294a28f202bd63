"""The noise and parameter options of `jaxgap fit`, as the library's objects."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from jaxgap.errors import InputError

if TYPE_CHECKING:
    from jaxgap.fitting.laws.constraints import Constraint
    from jaxgap.fitting.noise import AbstractNoise

Noise = Literal[
    "as-recorded", "given", "estimated", "per-series", "relative", "binomial", "student-t"
]
Pairs = Annotated[tuple[str, ...], tyro.conf.UseAppendAction]


def noise_of(name: Noise) -> "AbstractNoise | None":
    """The noise model of a name; `None` if it follows from the record."""
    from jaxgap.fitting import (
        Binomial,
        EstimatedScale,
        GivenScale,
        RelativeScale,
        ScalePerSeries,
        StudentT,
    )

    match name:
        case "as-recorded":
            return None
        case "given":
            return GivenScale()
        case "estimated":
            return EstimatedScale()
        case "per-series":
            return ScalePerSeries()
        case "relative":
            return RelativeScale()
        case "binomial":
            return Binomial()
        case "student-t":
            return StudentT()


def constraints_of(fixed: Sequence[str], bounds: Sequence[str]) -> dict[str, "Constraint"]:
    """Constraints by parameter name, from `NAME=VALUE` and `NAME=LOW,HIGH`.

    **Raises:** `InputError` for another form, and for a parameter that is named twice.

    **Example:**

    >>> constraints_of(["gap_limit=0"], ["rate=0,1"])
    {'gap_limit': Held(value=0.0), 'rate': Bounded(lower=0.0, upper=1.0)}
    """
    from jaxgap.fitting import Bounded, Held

    found: dict[str, Constraint] = {}
    for option, texts, form in (
        ("--fix", fixed, "NAME=VALUE"),
        ("--bound", bounds, "NAME=LOW,HIGH"),
    ):
        for text in texts:
            name, values = _numbers(option, text, form)
            if name in found:
                raise InputError(f"{option} {text}: {name} is fixed or bounded twice")
            found[name] = Held(*values) if option == "--fix" else Bounded(*values)
    return found


def _numbers(option: str, text: str, form: str) -> tuple[str, list[float]]:
    name, _, listed = text.partition("=")
    try:
        values = [float(value) for value in listed.split(",")]
    except ValueError:
        values = []
    if not name or len(values) != 1 + form.count(","):
        raise InputError(f"{option} {text}: must look like {form}")
    return name.strip(), values
