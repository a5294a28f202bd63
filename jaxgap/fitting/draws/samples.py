"""Samples of the reported numbers, by name and in the trajectory's own terms."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float

from jaxgap.fitting.arguments import check_level
from jaxgap.fitting.own_terms import own_terms
from jaxgap.fitting.problem import FitProblem
from jaxgap.trajectory import Kind


def by_name(
    problem: FitProblem, has_verifier: bool, kind: Kind, numbers: Float[np.ndarray, "*samples k"]
) -> dict[str, Float[np.ndarray, "*samples"]]:
    """The columns of `numbers`, which are the visible numbers of `problem.reported`.

    A limit's name is `"limit solver"` and the like, since a parameter may have the same name.
    """
    samples = {}
    for column, index in enumerate(problem.visible(has_verifier)):
        parameter = problem.reported[index]
        mirrored = parameter.is_mirrored(kind)
        values = own_terms(numbers[..., column], mirrored)
        is_limit = index >= len(problem.law.parameters)
        if mirrored and is_limit:
            values = np.clip(values, 0.0, 1.0)  # as the fit's own intervals are
        samples[f"limit {parameter.name}" if is_limit else parameter.name] = values
    return samples


def percentiles(
    samples: Mapping[str, Float[np.ndarray, "..."]], level: float
) -> dict[str, tuple[float, float]]:
    """Equal-tailed intervals by name.

    **Raises:**

    `InputError` (a `ValueError`) if the level is not in (0, 1).

    **Example:**

    >>> percentiles({"rate": np.arange(5.0)}, 0.5)
    {'rate': (1.0, 3.0)}
    """
    check_level(level)
    found = {}
    for name, values in samples.items():
        low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
        found[name] = (float(low), float(high))
    return found
