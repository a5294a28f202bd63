"""From measured curves to a law of motion: estimates, limits and their uncertainty.

:func:`fit` fits one trajectory, :func:`fit_many` thousands in parallel. What is fitted is a law:
:class:`LinearLaw` is the paper's, the others generalise it. How its curves are computed and how the
sum of squares is minimised are interchangeable objects.
"""

from typing import TYPE_CHECKING

from jaxgap.fitting.fit import closed_form, fit, fit_many
from jaxgap.fitting.laws.constraints import Bounded, Held, Tied
from jaxgap.fitting.laws.drifting_ratio_law import DriftingRatioLaw
from jaxgap.fitting.laws.general_linear_law import GeneralLinearLaw
from jaxgap.fitting.laws.lagged_law import LaggedLaw
from jaxgap.fitting.laws.law import AbstractLaw, Parameter
from jaxgap.fitting.laws.linear_law import LinearLaw
from jaxgap.fitting.laws.neural_law import NeuralLaw
from jaxgap.fitting.laws.power_law import PowerLaw
from jaxgap.fitting.laws.rank_one_law import AbstractRankOneLaw
from jaxgap.fitting.laws.rise_then_fall_law import RiseThenFallLaw
from jaxgap.fitting.laws.saturating_law import SaturatingLaw
from jaxgap.fitting.least_squares.levenberg_marquardt import LevenbergMarquardt
from jaxgap.fitting.least_squares.minimiser import AbstractMinimiser, Minimum
from jaxgap.fitting.noise import (
    Binomial,
    EstimatedScale,
    GivenScale,
    RelativeScale,
    ScalePerSeries,
    StudentT,
)
from jaxgap.fitting.priors import LogNormal, Normal
from jaxgap.fitting.results.diagnostics import Diagnostics
from jaxgap.fitting.results.estimate import Estimate
from jaxgap.fitting.results.prediction import Band, Prediction
from jaxgap.fitting.results.result import FitResult
from jaxgap.fitting.results.time_left import TimeLeft
from jaxgap.fitting.saving.result_file import load_result, save_result
from jaxgap.lazy_names import lazy_names

if TYPE_CHECKING:
    from jaxgap.fitting.least_squares.optimistix_minimiser import OptimistixMinimiser
    from jaxgap.fitting.ode_curves import OdeCurves

__all__ = [
    "AbstractLaw",
    "AbstractMinimiser",
    "AbstractRankOneLaw",
    "Band",
    "Binomial",
    "Bounded",
    "Diagnostics",
    "DriftingRatioLaw",
    "Estimate",
    "EstimatedScale",
    "FitResult",
    "GeneralLinearLaw",
    "GivenScale",
    "Held",
    "LaggedLaw",
    "LevenbergMarquardt",
    "LinearLaw",
    "LogNormal",
    "Minimum",
    "NeuralLaw",
    "Normal",
    "OdeCurves",
    "OptimistixMinimiser",
    "Parameter",
    "PowerLaw",
    "Prediction",
    "RelativeScale",
    "RiseThenFallLaw",
    "SaturatingLaw",
    "ScalePerSeries",
    "StudentT",
    "Tied",
    "TimeLeft",
    "closed_form",
    "fit",
    "fit_many",
    "load_result",
    "save_result",
]

# Importing Diffrax or Optimistix takes about a second.
_HOMES = {
    "OdeCurves": "ode_curves",
    "OptimistixMinimiser": "least_squares.optimistix_minimiser",
}

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
