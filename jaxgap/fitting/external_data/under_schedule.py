"""The solver's limit under a schedule: its value, its slopes, and whether the model holds there."""

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxgap.dynamics.abstract_dynamics import AbstractDynamics
from jaxgap.dynamics.coupling import RankOneCoupling
from jaxgap.dynamics.external_data import ExternalData
from jaxgap.dynamics.gap_dynamics import GapDynamics
from jaxgap.dynamics.injected_dynamics import InjectedDynamics
from jaxgap.dynamics.types import as_floats
from jaxgap.dynamics.validity import Validity
from jaxgap.fitting.external_data.schedule import DataSchedule, check_rounds, check_strength
from jaxgap.fitting.precision import double_precision


class LimitSlopes(NamedTuple):
    """The solver's limit under a schedule, and its derivatives.

    - `limit`: $U_{s,\\infty}$, in the unit of the capabilities.
    - `by_shares`: $dU_{s,\\infty} / d\\eta_j$, in that unit. The budget is fixed and can only be
        moved, so only differences between rounds matter.
    - `by_strength`: $dU_{s,\\infty} / d\\gamma$, in that unit.
    """

    limit: float
    by_shares: Float[np.ndarray, " rounds"]
    by_strength: float


def invalid_reason(dynamics: GapDynamics, schedule: DataSchedule, strength: float) -> str | None:
    """How the model breaks down under a schedule, in words; `None` if it holds."""
    return validity_under(dynamics, schedule, strength).reason()


def validity_under(dynamics: GapDynamics, schedule: DataSchedule, strength: float) -> Validity:
    """Which conditions of the model hold under a schedule."""
    check_formula(dynamics, strength)
    with double_precision():
        return _validity(*as_floats((dynamics, schedule.external(strength))))


def limit_slopes(dynamics: GapDynamics, schedule: DataSchedule, strength: float) -> LimitSlopes:
    """The solver's limit under a schedule, and how it depends on the shares and the strength.

    **Arguments:**

    - `dynamics`: a law with a closed form and a rank-one coupling.
    - `schedule`: with no round before `dynamics.t0`.
    - `strength`: $\\gamma \\ge 0$.

    **Raises:**

    `InputError` (a `ValueError`) for a strength that is negative or not finite, or a round before
    `dynamics.t0`; `ValueError` for another law.

    **Example:**

    >>> from jaxgap.dynamics import LinearPotential, RankOneCoupling
    >>> dynamics = GapDynamics(LinearPotential(0.5, 0.0), RankOneCoupling(0.5), 5.0, 3.0)
    >>> slopes = limit_slopes(dynamics, DataSchedule.early([0.0, 4.0]), strength=0.2)
    >>> round(slopes.limit, 9), round(slopes.by_strength, 3)
    (0.0, -4.167)
    """
    check_formula(dynamics, strength)
    check_rounds(schedule.times, float(dynamics.t0))
    with double_precision():
        arrays = as_floats((dynamics, schedule.times, schedule.shares, strength))
        limit, (by_shares, by_strength) = limit_and_slopes(*arrays)
    return LimitSlopes(float(limit), np.asarray(by_shares), float(by_strength))


def check_formula(dynamics: AbstractDynamics, strength: float) -> None:
    """Refuse a law for which the limit has no formula here (`ValueError`), and a bad strength."""
    if not (isinstance(dynamics, GapDynamics) and isinstance(dynamics.coupling, RankOneCoupling)):
        other = dynamics.coupling if isinstance(dynamics, GapDynamics) else dynamics
        raise ValueError(
            f"dynamics must be a GapDynamics with a RankOneCoupling, got {type(other).__name__}"
        )
    check_strength(strength)


@eqx.filter_jit
def limit_and_slopes(dynamics, times, shares, strength):
    """The limit, and its slopes by shares and by strength, compiled."""
    at = jnp.asarray(shares)
    return jax.value_and_grad(solver_limit, argnums=(2, 3))(dynamics, times, at, strength)


def solver_limit(dynamics, times, shares, strength) -> Float[Array, ""]:
    """The limit alone, not compiled."""
    external = ExternalData(times, shares, strength)
    return InjectedDynamics(dynamics, external).unchecked_limits().solver


@eqx.filter_jit
def _validity(dynamics: GapDynamics, external: ExternalData) -> Validity:
    return InjectedDynamics(dynamics, external).validity()
