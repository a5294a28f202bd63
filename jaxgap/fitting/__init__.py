"""From measured curves to a law of motion: estimates, limits, and how sure they are.

:func:`fit` fits one trajectory and :func:`fit_many` thousands side by side. What is fitted is a law
(:class:`LinearLaw`, :class:`PowerLaw`); how its curves are computed and how squares are minimised
are objects that can be exchanged.
"""

from typing import TYPE_CHECKING

from jaxgap.fitting.diagnostics import Diagnostics
from jaxgap.fitting.estimate import Estimate
from jaxgap.fitting.fit import closed_form, fit, fit_many
from jaxgap.fitting.law import AbstractLaw, Parameter
from jaxgap.fitting.least_squares import AbstractMinimiser, LevenbergMarquardt, Minimum
from jaxgap.fitting.prediction import Band, Prediction
from jaxgap.fitting.rank_one_law import AbstractRankOneLaw, LinearLaw, PowerLaw
from jaxgap.fitting.result import FitResult

if TYPE_CHECKING:
    from jaxgap.fitting.ode_curves import OdeCurves
    from jaxgap.fitting.optimistix_minimiser import OptimistixMinimiser

__all__ = [
    "AbstractLaw",
    "AbstractMinimiser",
    "AbstractRankOneLaw",
    "Band",
    "Diagnostics",
    "Estimate",
    "FitResult",
    "LevenbergMarquardt",
    "LinearLaw",
    "Minimum",
    "OdeCurves",
    "OptimistixMinimiser",
    "Parameter",
    "PowerLaw",
    "Prediction",
    "closed_form",
    "fit",
    "fit_many",
]


def __getattr__(name: str):
    """Import what needs Diffrax or Optimistix when it is first asked for."""
    if name == "OdeCurves":
        from jaxgap.fitting.ode_curves import OdeCurves

        return OdeCurves
    if name == "OptimistixMinimiser":
        from jaxgap.fitting.optimistix_minimiser import OptimistixMinimiser

        return OptimistixMinimiser
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
