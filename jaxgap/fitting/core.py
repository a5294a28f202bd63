"""The numerical core of a fit: one pure function of arrays for one curve, batched by `jax.vmap`.

From several starts it minimises the weighted squares of both curves together, takes the best, and
asks of every parameter and limit how far the data hold it. All of it is one compiled program.
"""

from collections.abc import Callable
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.scipy.linalg as jsl
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from jaxgap.dynamics.abstract_dynamics import AbstractDynamics
from jaxgap.dynamics.types import RealScalar
from jaxgap.fitting.curves import Curves
from jaxgap.fitting.law import LIMITS, AbstractLaw, Parameter
from jaxgap.fitting.least_squares import AbstractMinimiser
from jaxgap.fitting.profile import Minimised, profile_end

CurveFn = Callable[[AbstractDynamics, Float[Array, " times"]], Float[Array, "times 2"]]

# Residuals this small a part of the data's range are round-off, not noise.
_NOISE_FLOOR = 1e-9
# An interval that reaches this many times the range of the data is open on that side.
_FAR = 100.0
# Starts whose cost is within this factor of the best agree on where the minimum is.
_AGREEMENT = 1e-6


class Problem(eqx.Module):
    """A law, how its curves are computed, and how squares are minimised: all but the data."""

    law: AbstractLaw
    curve_fn: CurveFn
    minimiser: AbstractMinimiser

    def dynamics(self, coordinates: Float[Array, " n"], curves: Curves) -> AbstractDynamics:
        """The dynamics at the given coordinates."""
        bijectors = self.law.bijectors(curves)
        values = [b.constrain(z) for b, z in zip(bijectors, coordinates, strict=True)]
        return self.law.dynamics(values, curves)

    def residuals(self, coordinates: Float[Array, " n"], curves: Curves) -> Float[Array, " m"]:
        """Weighted differences between the law's curves and the measured ones."""
        predicted = self.curve_fn(self.dynamics(coordinates, curves), curves.ts)
        return ((predicted - curves.ys) * curves.weights).ravel()

    def numbers(self, coordinates: Float[Array, " n"], curves: Curves) -> Float[Array, " k"]:
        """The parameters, then the limits of the solver, the verifier and the gap."""
        dynamics = self.dynamics(coordinates, curves)
        return jnp.concatenate([self.law.parameter_values(dynamics), jnp.stack(dynamics.limits())])

    @property
    def reported(self) -> tuple[Parameter, ...]:
        """What `numbers` holds, in its order."""
        return (*self.law.parameters, *LIMITS)


class RawFit(NamedTuple):
    """What the core finds, for one curve or, with a leading axis, for many.

    `numbers`, `stderrs` and `intervals` run over the parameters and limits that such curves show.
    """

    coordinates: Float[Array, " n"]
    dynamics: AbstractDynamics
    cost: Float[Array, ""]
    variance: Float[Array, ""]
    converged: Bool[Array, ""]
    start_costs: Float[Array, " starts"]
    num_agreeing: Int[Array, ""]
    fitted: Float[Array, "times 2"]
    numbers: Float[Array, " k"]
    stderrs: Float[Array, " k"]
    intervals: Float[Array, "k 2"]


def visible(problem: Problem, has_verifier: bool) -> tuple[int, ...]:
    """The indices of the numbers that such curves can show."""
    return tuple(
        index
        for index, parameter in enumerate(problem.reported)
        if has_verifier or not parameter.needs_verifier
    )


def fit_one(
    problem: Problem,
    curves: Curves,
    num_free: Int[Array, ""],
    quantile: Float[Array, ""],
) -> RawFit:
    """Fit one curve: see :func:`jaxgap.fitting.fit`, which prepares and reads this.

    `num_free` is the number of free coordinates, `quantile` that of the distribution of zeta.
    """
    starts = problem.law.starts(curves)
    minima = jax.vmap(lambda start: problem.minimiser(problem.residuals, start, curves))(starts)
    costs = jnp.where(jnp.isfinite(minima.cost), minima.cost, jnp.inf)
    index = jnp.argmin(costs)
    coordinates, cost = minima.coordinates[index], minima.cost[index]
    variance = _variance(cost, curves, num_free)
    indices = np.array(visible(problem, curves.has_verifier))
    stderrs = _stderrs(problem, coordinates, curves, variance)[indices]
    numbers = problem.numbers(coordinates, curves)[indices]
    best = Minimised(coordinates, cost, variance)
    intervals = _intervals(problem, curves, best, starts, indices, numbers, stderrs, quantile)
    dynamics = problem.dynamics(coordinates, curves)
    return RawFit(
        coordinates=coordinates,
        dynamics=dynamics,
        cost=cost,
        variance=variance,
        converged=minima.converged[index],
        start_costs=costs,
        num_agreeing=jnp.sum(costs <= cost * (1 + _AGREEMENT) + _NOISE_FLOOR**2),
        fitted=problem.curve_fn(dynamics, curves.ts),
        numbers=numbers,
        stderrs=stderrs,
        intervals=intervals,
    )


def _variance(cost, curves: Curves, num_free) -> Float[Array, ""]:
    """The variance of the weighted residuals: one if the noise is known, else from the cost."""
    dof = jnp.maximum(curves.num_measurements - num_free, 1)
    return jnp.where(curves.noise_known, 1.0, jnp.maximum(cost / dof, _NOISE_FLOOR**2))


def _stderrs(problem: Problem, coordinates, curves: Curves, variance) -> Float[Array, " k"]:
    """Standard errors by the delta method, from the curvature at the fit."""
    jacobian = jax.jacfwd(problem.residuals)(coordinates, curves)
    slopes = jax.jacfwd(problem.numbers)(coordinates, curves)
    norms = jnp.linalg.norm(jacobian, axis=0)
    norms = jnp.where(norms > 0, norms, 1.0)
    scaled = (jacobian / norms).T @ (jacobian / norms)
    # A coordinate without effect has an empty row: its unit pivot keeps it out of the inverse.
    scaled = scaled + jnp.diag(jnp.where(jnp.diagonal(scaled) > 0, 0.0, 1.0))
    spread = jsl.cho_solve(jsl.cho_factor(scaled), (slopes / norms).T)
    return jnp.sqrt(variance * jnp.maximum(jnp.sum(spread * (slopes / norms).T, axis=0), 0.0))


def _typical(parameter: Parameter, curves: Curves) -> RealScalar:
    """The order of magnitude of a parameter, from its unit and the scales of the data."""
    match parameter.unit:
        case "capability" | "gap":
            return curves.value_scale
        case "1/time":
            return 1 / curves.duration
        case "1":
            return 0.5


def _horizon(parameter: Parameter, curves: Curves) -> Float[Array, "2"]:
    """How far a number may lie before an interval that reaches there counts as open."""
    far = _FAR * jnp.array([-1.0, 1.0]) * _typical(parameter, curves)
    middle = jnp.mean(curves.ys[0]) if parameter.unit == "capability" else 0.0
    return middle + far


def _intervals(
    problem: Problem, curves: Curves, best: Minimised, starts, indices, numbers, stderrs, quantile
) -> Float[Array, "k 2"]:
    """Both ends of every number's profile interval, all at once."""
    reported = [problem.reported[index] for index in indices]
    natural = jnp.array([[p.lower, p.upper] for p in reported])
    typical = jnp.stack([jnp.asarray(_typical(p, curves), float) for p in reported])
    horizon = jnp.stack([_horizon(p, curves) for p in reported])
    bounds = jnp.clip(natural, horizon[:, :1], horizon[:, 1:])
    typical = jnp.maximum(typical, jnp.abs(numbers) * (natural[:, 0] == 0))

    centres = jnp.clip(numbers, bounds[:, 0], bounds[:, 1])
    # Beyond the horizon the curvature says nothing about how far back the end may be.
    first = _first_distance(stderrs, quantile, typical)
    first = jnp.where(centres == numbers, first, typical)

    def end(index, centre, first_distance, bound, direction):
        return profile_end(
            lambda z: problem.numbers(z, curves)[index],
            problem.residuals,
            problem.minimiser,
            best,
            starts,
            curves,
            centre=centre,
            direction=direction,
            first_distance=first_distance,
            bound=bound,
            quantile=quantile,
        ).value

    # One level of batching: each further one would double the time to trace the searches.
    ends = jax.vmap(end)(
        jnp.repeat(jnp.asarray(indices), 2),
        jnp.repeat(centres, 2),
        jnp.repeat(first, 2),
        bounds.ravel(),
        jnp.tile(jnp.array([-1.0, 1.0]), len(indices)),
    )
    ends = ends.reshape(bounds.shape)
    return jnp.where(ends == bounds, natural, ends)


def _first_distance(stderr, quantile, typical) -> Float[Array, "..."]:
    """How far from the fit to look first for an interval's end."""
    sensible = jnp.isfinite(stderr) & (stderr > 1e-12 * typical)
    return jnp.where(sensible, jnp.minimum(quantile * stderr, typical), 0.1 * typical)


def bands_one(
    problem: Problem, curves: Curves, best: Minimised, ts: Float[Array, " times"], quantile
) -> Float[Array, "times 3 3"]:
    """The solver, the verifier and the gap at each of `ts`: estimate, lower and upper end.

    The ends are those of the profile-likelihood interval of the curve itself at that time.
    """
    # The noise's own scale: the curve is known about as well as one measurement, or better.
    noise = jnp.sqrt(best.variance) / jnp.max(curves.weights)
    first_distance = _first_distance(noise, quantile, curves.value_scale)
    far = _FAR * curves.value_scale + jnp.array([1.0, 1.0, 0.0]) * jnp.max(jnp.abs(curves.ys))

    starts = problem.law.starts(curves)

    def states(z, t):
        solver, verifier = problem.curve_fn(problem.dynamics(z, curves), t[None])[0]
        return jnp.stack([solver, verifier, solver - verifier])

    def end(t, index, direction):
        bound = direction * far[index]
        found = profile_end(
            lambda z: states(z, t)[index],
            problem.residuals,
            problem.minimiser,
            best,
            starts,
            curves,
            centre=jnp.clip(states(best.coordinates, t)[index], -far[index], far[index]),
            direction=direction,
            first_distance=first_distance,
            bound=bound,
            quantile=quantile,
        ).value
        return jnp.where(found == bound, direction * jnp.inf, found)

    lanes = jnp.meshgrid(ts, jnp.arange(3), jnp.array([-1.0, 1.0]), indexing="ij")
    ends = jax.vmap(end)(*(lane.ravel() for lane in lanes)).reshape(lanes[0].shape)
    estimates = jax.vmap(lambda t: states(best.coordinates, t))(ts)
    return jnp.concatenate([estimates[..., None], ends], axis=-1)
