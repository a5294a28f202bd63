"""The time that is left to a run, as a number that a profile can follow."""

from typing import TypeGuard

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxgap.dynamics import GapDynamics, time_to_solver_limit
from jaxgap.dynamics.abstract_dynamics import AbstractDynamics
from jaxgap.dynamics.coupling import RankOneCoupling
from jaxgap.dynamics.potential import AbstractClosedFormPotential
from jaxgap.fitting.curves import Curves

# How far the number is followed, as multiples of the observed duration.
EARLIEST, FARTHEST = -2.0, 100.0


def has_time_left(dynamics: AbstractDynamics) -> TypeGuard[GapDynamics]:
    """Whether the law says in closed form when its solver is near its limit."""
    return (
        isinstance(dynamics, GapDynamics)
        and isinstance(dynamics.coupling, RankOneCoupling)
        and isinstance(dynamics.potential, AbstractClosedFormPotential)
    )


def signed_time_left(
    dynamics: GapDynamics, epsilon: Float[Array, ""], curves: Curves
) -> Float[Array, ""]:
    """From the last row on; negative where the solver came within `epsilon` before that.

    For a run that starts that close there is no such time. There the value keeps falling, from
    minus one duration to minus two: a search could not find its way off a plateau.
    """
    elapsed = time_to_solver_limit(dynamics, epsilon) - curves.t0
    way = jnp.abs(dynamics.limits().solver - dynamics.solver_initial)
    near = jnp.minimum(way / epsilon - 1, 0.0) * curves.duration
    return elapsed + near - curves.duration
