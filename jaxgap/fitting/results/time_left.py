"""How long until the solver of a fitted run is near its limit, with a profile-likelihood interval.

This is the law's own answer (Corollary 3.2); :mod:`jaxgap.fitting.forecasting` has one that does
not take a law for granted.
"""

import dataclasses
from typing import TYPE_CHECKING, Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxgap.dynamics import GapDynamics, time_to_solver_limit
from jaxgap.dynamics.coupling import RankOneCoupling
from jaxgap.dynamics.potential import AbstractClosedFormPotential
from jaxgap.errors import InputError
from jaxgap.fitting.curves import Curves
from jaxgap.fitting.intervals.delta_method import standard_errors
from jaxgap.fitting.intervals.profile import both_ends, profile_ends
from jaxgap.fitting.intervals.search_start import minimised, one_fit
from jaxgap.fitting.precision import double_precision
from jaxgap.fitting.problem import FitProblem
from jaxgap.fitting.raw_fit import RawFit
from jaxgap.fitting.results.estimate import NO_NOISE

if TYPE_CHECKING:
    from jaxgap.fitting.results.result import FitResult

# Near a limit means within a point of accuracy, or within this fraction of an uncertainty.
EPSILON_ACCURACY = 0.01
EPSILON_RELATIVE = 0.05
# Times further away than this multiple of the observed duration are not reported.
FARTHEST = 100.0


@dataclasses.dataclass(frozen=True)
class TimeLeft:
    """How long, from the last row on, until the solver is within `epsilon` of its limit.

    In the unit of the trajectory's times, never below zero. `reason` says why anything is `None`:
    the upper end and the estimate if either is more than a hundred observed durations away;
    everything if the limit itself is withheld.
    """

    estimate: float | None
    interval: tuple[float | None, float | None]
    epsilon: float
    reason: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """The public JSON form; it has a `"reason"` where something is null."""
        form = {
            "estimate": self.estimate,
            "interval": list(self.interval),
            "epsilon": self.epsilon,
        }
        return form if self.reason is None else form | {"reason": self.reason}


def time_left_of(result: "FitResult", epsilon: float | None) -> TimeLeft:
    """See :meth:`jaxgap.fitting.FitResult.time_left`."""
    source = result.source
    if epsilon is None:
        epsilon = _near_enough(result)
    if not (np.isfinite(epsilon) and epsilon > 0):
        raise InputError(f"epsilon must be above zero, got {epsilon:g}")
    why_none = _why_none(result)
    if why_none is not None or source.quantile is None:
        return TimeLeft(None, (None, None), epsilon, why_none or NO_NOISE)
    with double_precision():
        found = _profiled(
            source.problem,
            source.curves,
            source.raw,
            jnp.asarray(epsilon),
            jnp.asarray(source.quantile),
        )
    estimate, low, high = (float(number) for number in found)
    if not (np.isfinite(high) and np.isfinite(estimate)):
        reason = f"the data allow more than {FARTHEST:g} times the observed time"
        return TimeLeft(None, (low, None), epsilon, reason)
    return TimeLeft(estimate, (low, high), epsilon)


def _near_enough(result: "FitResult") -> float:
    """The default epsilon: a point of accuracy, or a twentieth of the fitted curve's last value."""
    if result.kind == "accuracy":
        return EPSILON_ACCURACY
    last = abs(float(np.asarray(result.source.raw.fitted)[result.num_points - 1, 0]))
    # A fit that failed has no curve.
    scale = last if np.isfinite(last) and last else float(result.source.curves.value_scale)
    return EPSILON_RELATIVE * scale


def _why_none(result: "FitResult") -> str | None:
    """Why it cannot be said when a run gets near its limit; `None` if it can."""
    limit, dynamics = result.limits["solver"], result.dynamics
    closed = (
        isinstance(dynamics, GapDynamics)
        and isinstance(dynamics.coupling, RankOneCoupling)
        and isinstance(dynamics.potential, AbstractClosedFormPotential)
    )
    if not closed:
        return "this law has no closed form of when it comes near its limit"
    if result.failure is not None:
        return f"the fit {result.failure}"
    return limit.reason if limit.estimate is None else None


@eqx.filter_jit
def _profiled(
    problem: FitProblem,
    curves: Curves,
    raw: RawFit,
    epsilon: Float[Array, ""],
    quantile: Float[Array, ""],
) -> Float[Array, "3"]:
    """The time left and both ends of its interval; infinite where it is too far away."""

    def left(z, curves, near):
        dynamics = problem.dynamics(z, curves)
        assert isinstance(dynamics, GapDynamics)  # by `_why_none`
        return _signed_time_left(dynamics, near, curves)

    fit = minimised(problem, curves, raw)
    found = left(fit.coordinates, curves, epsilon)
    slopes = jax.jacfwd(lambda z: left(z, curves, epsilon))(fit.coordinates)
    bounds = jnp.array([-2.0, FARTHEST]) * curves.duration
    ends = both_ends(
        epsilon,
        found,
        bounds,
        standard_errors(problem, fit, slopes[None])[0],
        jnp.asarray(curves.duration),
        quantile,
    )
    low, high = profile_ends(
        left,
        problem.residuals,
        problem.minimiser,
        one_fit(problem, fit),
        ends,
    )
    times = jnp.stack([found, low, high])
    return jnp.where(times >= bounds[1], jnp.inf, jnp.maximum(times, 0.0))


def _signed_time_left(
    dynamics: GapDynamics, epsilon: Float[Array, ""], curves: Curves
) -> Float[Array, ""]:
    """The time left, negative where the solver came within `epsilon` before the last row.

    For a run that starts that close there is no such time. There the value keeps falling, from
    minus one duration to minus two: a search could not find its way off a plateau.
    """
    elapsed = time_to_solver_limit(dynamics, epsilon) - curves.t0
    way = jnp.abs(dynamics.limits().solver - dynamics.solver_initial)
    near = jnp.minimum(way / epsilon - 1, 0.0) * curves.duration
    return elapsed + near - curves.duration
