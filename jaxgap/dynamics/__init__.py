"""The theory's differential equations: what drives the gap, and how it moves both capabilities.

A :class:`GapDynamics` combines a potential (how fast the gap closes, a function of the gap alone),
a coupling (how a change of the gap is split between solver and verifier) and the initial values.
There are also a law in which each capability drives both (:class:`GeneralLinearDynamics`) and one
whose target erodes (:class:`RiseThenFallDynamics`). :class:`InjectedDynamics` interrupts a law with
:class:`ExternalData`. In a toy policy the theory's quantities are derived, not assumed.

Laws with a closed form are evaluated with it; any law can be integrated by :func:`simulate`.
Integration needs Diffrax, which is imported on first use.
"""

from typing import TYPE_CHECKING

from jaxgap.dynamics.abstract_dynamics import AbstractDynamics, Limits
from jaxgap.dynamics.corollaries import (
    LimitSensitivity,
    conserved_quantity,
    limit_sensitivity,
    time_left,
    time_to_gap_limit,
    time_to_solver_limit,
)
from jaxgap.dynamics.coupling import AbstractCoupling, RankOneCoupling
from jaxgap.dynamics.drifting_ratio import DriftingRatioCoupling
from jaxgap.dynamics.external_data import ExternalData
from jaxgap.dynamics.gap_dynamics import GapDynamics
from jaxgap.dynamics.general_linear_dynamics import GeneralLinearDynamics
from jaxgap.dynamics.injected_dynamics import InjectedDynamics
from jaxgap.dynamics.lagged_potential import LaggedPotential
from jaxgap.dynamics.linear_potential import LinearPotential
from jaxgap.dynamics.neural_potential import NeuralPotential
from jaxgap.dynamics.potential import AbstractClosedFormPotential, AbstractPotential
from jaxgap.dynamics.power_potential import PowerPotential
from jaxgap.dynamics.rise_then_fall_dynamics import RiseThenFallDynamics
from jaxgap.dynamics.rounds import discrete_rate, round_multiplier, simulate_rounds
from jaxgap.dynamics.saturating_potential import SaturatingPotential
from jaxgap.dynamics.validity import Validity
from jaxgap.lazy_names import lazy_names

if TYPE_CHECKING:
    from jaxgap.dynamics.bernoulli_policy import BernoulliPolicy
    from jaxgap.dynamics.injected_simulation import simulate_injected
    from jaxgap.dynamics.simulation import simulate
    from jaxgap.dynamics.softmax_policy import SoftmaxPolicy
    from jaxgap.dynamics.toy_policy import AbstractToyPolicy, PolicyRun, train_policy

__all__ = [
    "AbstractClosedFormPotential",
    "AbstractCoupling",
    "AbstractDynamics",
    "AbstractPotential",
    "AbstractToyPolicy",
    "BernoulliPolicy",
    "DriftingRatioCoupling",
    "ExternalData",
    "GapDynamics",
    "GeneralLinearDynamics",
    "InjectedDynamics",
    "LaggedPotential",
    "LimitSensitivity",
    "Limits",
    "LinearPotential",
    "NeuralPotential",
    "PolicyRun",
    "PowerPotential",
    "RankOneCoupling",
    "RiseThenFallDynamics",
    "SaturatingPotential",
    "SoftmaxPolicy",
    "Validity",
    "conserved_quantity",
    "discrete_rate",
    "limit_sensitivity",
    "round_multiplier",
    "simulate",
    "simulate_injected",
    "simulate_rounds",
    "time_left",
    "time_to_gap_limit",
    "time_to_solver_limit",
    "train_policy",
]

# Importing Diffrax takes about a second.
_NEED_DIFFRAX = {
    "AbstractToyPolicy": "toy_policy",
    "BernoulliPolicy": "bernoulli_policy",
    "PolicyRun": "toy_policy",
    "SoftmaxPolicy": "softmax_policy",
    "simulate": "simulation",
    "simulate_injected": "injected_simulation",
    "train_policy": "toy_policy",
}

__getattr__, __dir__ = lazy_names(__name__, _NEED_DIFFRAX)
