"""The theory's differential equations: what drives the gap, and how it moves both capabilities.

A :class:`GapDynamics` is one potential (how fast the gap closes, a function of the gap alone), one
coupling (how a change of the gap is split between solver and verifier) and the initial values.
Beside it there are a law in which each capability drives both (:class:`GeneralLinearDynamics`) and
one whose target erodes (:class:`RiseThenFallDynamics`).
Laws with a closed form are evaluated by it; every law can be integrated by :func:`simulate`, which
alone needs Diffrax and is therefore imported only when asked for.
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
from jaxgap.dynamics.gap_dynamics import GapDynamics
from jaxgap.dynamics.general_linear_dynamics import GeneralLinearDynamics
from jaxgap.dynamics.lagged_potential import LaggedPotential
from jaxgap.dynamics.linear_potential import LinearPotential
from jaxgap.dynamics.neural_potential import NeuralPotential
from jaxgap.dynamics.potential import AbstractClosedFormPotential, AbstractPotential
from jaxgap.dynamics.power_potential import PowerPotential
from jaxgap.dynamics.rise_then_fall_dynamics import RiseThenFallDynamics
from jaxgap.dynamics.rounds import discrete_rate, round_multiplier, simulate_rounds
from jaxgap.dynamics.saturating_potential import SaturatingPotential

if TYPE_CHECKING:
    from jaxgap.dynamics.simulation import simulate

__all__ = [
    "AbstractClosedFormPotential",
    "AbstractCoupling",
    "AbstractDynamics",
    "AbstractPotential",
    "DriftingRatioCoupling",
    "GapDynamics",
    "GeneralLinearDynamics",
    "LaggedPotential",
    "LimitSensitivity",
    "Limits",
    "LinearPotential",
    "NeuralPotential",
    "PowerPotential",
    "RankOneCoupling",
    "RiseThenFallDynamics",
    "SaturatingPotential",
    "conserved_quantity",
    "discrete_rate",
    "limit_sensitivity",
    "round_multiplier",
    "simulate",
    "simulate_rounds",
    "time_left",
    "time_to_gap_limit",
    "time_to_solver_limit",
]


def __getattr__(name: str):
    """Import `simulate`, and with it Diffrax (about a second), when it is first asked for."""
    if name == "simulate":
        from jaxgap.dynamics.simulation import simulate

        return simulate
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
