"""Analysis of a run: one fit to all of it, and one to its first half."""

from typing import NamedTuple

from jaxgap.fitting import FitResult, LinearLaw, fit
from jaxgap.trajectory import Trajectory

# Fewer rows than the law has parameters say nothing about what comes next.
_MIN_KNOWN = 5


class Analysis(NamedTuple):
    """A run with its fits.

    - `run`: the measurements.
    - `result`: the law fitted to all of it.
    - `known`: the law fitted to its first half, or `None` where that is too short.
    """

    run: Trajectory
    result: FitResult
    known: FitResult | None


def analyse(run: Trajectory) -> Analysis:
    """Fit the paper's law to a run, and to its first half only."""
    half = (run.num_rows + 1) // 2
    enough = half >= _MIN_KNOWN and half < run.num_rows
    known = fit(LinearLaw(), run.head(half)) if enough else None
    return Analysis(run, fit(LinearLaw(), run), known)
