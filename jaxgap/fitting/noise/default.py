"""The noise model of a trajectory if none is given."""

from typing import NamedTuple

from jaxgap.fitting.curves import Curves, curves_of
from jaxgap.fitting.noise.abstract_noise import AbstractNoise
from jaxgap.fitting.noise.binomial import Binomial
from jaxgap.fitting.noise.gaussian import EstimatedScale, GivenScale, given_standard_errors
from jaxgap.trajectory import Trajectory


def default_noise(trajectory: Trajectory) -> tuple[AbstractNoise, list[str]]:
    """Given scale if there are standard errors, binomial if there are counts, else estimated.

    **Returns:**

    The noise, and what a reader has to know about the choice.

    **Example:**

    >>> run = Trajectory([0, 1, 2], [0.1, 0.3, 0.4], kind="accuracy", num_items=100)
    >>> default_noise(run)[0].name
    'binomial'
    """
    rows, reasons = given_standard_errors(trajectory)
    if rows is not None:
        return GivenScale(), []
    if trajectory.kind == "accuracy" and trajectory.num_items is not None and not reasons:
        return Binomial(), []
    return EstimatedScale(), [f"{reason}: the fit is unweighted" for reason in reasons]


class WeightedCurves(NamedTuple):
    """A trajectory as a fit sees it, its noise model, and remarks about its weights."""

    curves: Curves
    noise: AbstractNoise
    remarks: list[str]


def weighted_curves(
    trajectory: Trajectory, num_padded: int, noise: AbstractNoise | None = None
) -> WeightedCurves:
    """One trajectory, weighted according to its noise, by default :func:`default_noise`.

    **Raises:**

    `InputError` (a `ValueError`) if the trajectory lacks what the noise needs.
    """
    chosen, remarks = default_noise(trajectory) if noise is None else (noise, [])
    standard_errors, more = chosen.standard_errors(trajectory)
    curves = curves_of(trajectory, num_padded, standard_errors)
    return WeightedCurves(curves, chosen, remarks + more)
