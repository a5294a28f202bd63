"""The only records and functions that a saved fit may name.

A file names a record by its class name. Where the class is defined is not part of the format.
"""

from collections.abc import Callable
from typing import Any

from jaxgap.dynamics.coupling import RankOneCoupling
from jaxgap.dynamics.drifting_ratio import DriftingRatioCoupling
from jaxgap.dynamics.gap_dynamics import GapDynamics
from jaxgap.dynamics.general_linear_dynamics import GeneralLinearDynamics
from jaxgap.dynamics.lagged_potential import LaggedPotential
from jaxgap.dynamics.linear_potential import LinearPotential
from jaxgap.dynamics.neural_potential import NeuralPotential
from jaxgap.dynamics.power_potential import PowerPotential
from jaxgap.dynamics.rise_then_fall_dynamics import RiseThenFallDynamics
from jaxgap.dynamics.saturating_potential import SaturatingPotential
from jaxgap.fitting.curves import Curves
from jaxgap.fitting.fit import closed_form
from jaxgap.fitting.laws.constrained_law import ConstrainedLaw
from jaxgap.fitting.laws.constraints import Bounded, Held, Mirrored, Tied, unchanged
from jaxgap.fitting.laws.drifting_ratio_law import DriftingRatioLaw
from jaxgap.fitting.laws.general_linear_law import GeneralLinearLaw
from jaxgap.fitting.laws.lagged_law import LaggedLaw
from jaxgap.fitting.laws.law import Parameter
from jaxgap.fitting.laws.linear_law import LinearLaw
from jaxgap.fitting.laws.neural_law import NeuralLaw
from jaxgap.fitting.laws.power_law import PowerLaw
from jaxgap.fitting.laws.rise_then_fall_law import RiseThenFallLaw
from jaxgap.fitting.laws.saturating_law import SaturatingLaw
from jaxgap.fitting.least_squares.levenberg_marquardt import LevenbergMarquardt
from jaxgap.fitting.noise import (
    Binomial,
    EstimatedScale,
    GivenScale,
    RelativeScale,
    ScalePerSeries,
    StudentT,
)
from jaxgap.fitting.noise.joint_scale import JointScale
from jaxgap.fitting.priors import IndexedPrior, LogNormal, Normal
from jaxgap.fitting.problem import FitProblem
from jaxgap.fitting.raw_fit import RawFit, RawNumbers
from jaxgap.fitting.results.criteria import Criteria
from jaxgap.fitting.results.diagnostics import Diagnostics
from jaxgap.fitting.results.estimate import Estimate
from jaxgap.fitting.results.result import FitResult, Source
from jaxgap.fitting.selection.averaged import AveragedResult, LawSummary
from jaxgap.fitting.selection.candidates import Candidate
from jaxgap.fitting.selection.rolling import Scores
from jaxgap.fitting.selection.search import Fits
from jaxgap.trajectory import Trajectory

_RECORDS: dict[str, type] = {
    record.__name__: record
    for record in (
        # results
        *(FitResult, Source, FitProblem, Curves, RawFit, RawNumbers, Estimate, Diagnostics),
        *(AveragedResult, LawSummary, Candidate, Fits, Scores, Criteria, Trajectory),
        # settings of a fit
        *(LinearLaw, PowerLaw, SaturatingLaw, LaggedLaw, RiseThenFallLaw, GeneralLinearLaw),
        *(DriftingRatioLaw, NeuralLaw, ConstrainedLaw, Parameter, Held, Bounded, Tied, Mirrored),
        *(LevenbergMarquardt, IndexedPrior, Normal, LogNormal),
        *(GivenScale, EstimatedScale, JointScale, ScalePerSeries, RelativeScale),
        *(StudentT, Binomial),
        # dynamics
        *(GapDynamics, GeneralLinearDynamics, RiseThenFallDynamics),
        *(LinearPotential, PowerPotential, SaturatingPotential, LaggedPotential, NeuralPotential),
        *(RankOneCoupling, DriftingRatioCoupling),
    )
}
_FUNCTIONS: dict[str, Callable[..., Any]] = {"closed_form": closed_form, "unchanged": unchanged}


def record_named(name: str) -> type | None:
    """The class of that name, or `None`."""
    if name == "OdeCurves":
        # Importing Diffrax takes about a second.
        from jaxgap.fitting.ode_curves import OdeCurves

        return OdeCurves
    return _RECORDS.get(name)


def function_named(name: str) -> Callable[..., Any] | None:
    """The function of that name, or `None`."""
    return _FUNCTIONS.get(name)
