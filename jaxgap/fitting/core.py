"""The numerical core of a fit: one pure function of arrays for a batch of curves.

From several starts it minimises the weighted squares of both curves together, takes the best, and
asks of every parameter and limit how far the data hold it. The solves from all starts of all curves
share a queue, and so do the searches for all ends of all intervals: no curve waits for another. All
of it is one compiled program.
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
from jaxgap.fitting.curves import Curves
from jaxgap.fitting.intervals.profile import Minimised, both_ends, profile_ends
from jaxgap.fitting.laws.bijectors import AbstractBijector
from jaxgap.fitting.laws.law import LIMITS, AbstractLaw, Parameter, horizon, typical_size
from jaxgap.fitting.least_squares.minimiser import AbstractMinimiser, minimise
from jaxgap.fitting.noise.abstract_noise import NOISE_FLOOR, AbstractNoise
from jaxgap.fitting.noise.gaussian import EstimatedScale
from jaxgap.fitting.priors import IndexedPrior

CurveFn = Callable[[AbstractDynamics, Float[Array, " times"]], Float[Array, "times 2"]]

# So far past where a bounded map bends it is all but flat, and so far it is to come back to.
_FLAT, _INSIDE = 8.0, 4.0
# A coordinate that raises the squares by no more than this part of the variance has no effect.
_NO_RISE = 1e-9
# Starts whose cost is within this factor of the best agree on where the minimum is.
_AGREEMENT = 1e-6


class Problem(eqx.Module):
    """A law, how its curves are computed, how squares are minimised, the noise and priors.

    That is all but the data. Coordinates are those of the law and then those of the noise. `held`
    are the indices of reported numbers that no coordinate moves.
    """

    law: AbstractLaw
    curve_fn: CurveFn
    minimiser: AbstractMinimiser
    noise: AbstractNoise = EstimatedScale()
    priors: tuple[IndexedPrior, ...] = ()
    held: tuple[int, ...] = eqx.field(static=True, default=())

    def dynamics(self, coordinates: Float[Array, " n"], curves: Curves) -> AbstractDynamics:
        """The dynamics at the given coordinates."""
        bijectors = self.law.bijectors(curves)
        of_law = coordinates[: len(bijectors)]
        values = [b.constrain(z) for b, z in zip(bijectors, of_law, strict=True)]
        return self.law.dynamics(values, curves)

    def scales(self, coordinates: Float[Array, " n"], curves: Curves) -> Float[Array, " scales"]:
        """The noise's own coordinates."""
        return coordinates[len(self.law.bijectors(curves)) :]

    def starts(self, curves: Curves) -> Float[Array, "starts n"]:
        """The law's starts, each with the scale of the residuals that it leaves."""
        return jax.vmap(lambda start: self.with_scales(start, curves))(self.law.starts(curves))

    def with_scales(self, of_law: Float[Array, " m"], curves: Curves) -> Float[Array, " n"]:
        """The law's coordinates, and after them the scales of the residuals that they leave."""
        num_scales = self.noise.num_scales(curves)
        if not num_scales:
            return of_law
        predicted = self.curve_fn(self.dynamics(of_law, curves), curves.ts)
        relative = (predicted - curves.ys) * (curves.weights > 0) / curves.value_scale
        mean_square = jnp.sum(relative**2) / curves.num_measurements
        scale = 0.5 * jnp.log(mean_square + NOISE_FLOOR**2)
        return jnp.concatenate([of_law, jnp.broadcast_to(scale, (num_scales,))])

    def deviations(self, coordinates: Float[Array, " n"], curves: Curves) -> Float[Array, " m"]:
        """Weighted differences between the law's curves and the measured ones, by row."""
        predicted = self.curve_fn(self.dynamics(coordinates, curves), curves.ts)
        return ((predicted - curves.ys) * curves.weights).ravel()

    def off_bounds(self, coordinates: Float[Array, " n"], curves: Curves) -> Float[Array, " n"]:
        """The same coordinates, but inside where a parameter is on its bound.

        There its map is flat and no least-squares search would move it: what starts there would
        hold it.
        """
        return self._by_bijector(lambda b, z: b.off_bounds(z, _FLAT, _INSIDE), coordinates, curves)

    def low_side(self, coordinates: Float[Array, " n"], curves: Curves) -> Float[Array, " n"]:
        """Each coordinate at the low side of what is inside its bounds, or at zero without any."""
        return self._by_bijector(lambda b, z: b.low_side(z, _INSIDE), coordinates, curves)

    def _by_bijector(
        self,
        move: Callable[[AbstractBijector, Float[Array, ""]], Float[Array, ""]],
        coordinates: Float[Array, " n"],
        curves: Curves,
    ) -> Float[Array, " n"]:
        """The law's coordinates moved, each by its bijector; those of the noise stay."""
        bijectors = self.law.bijectors(curves)
        of_law = [move(bijector, coordinates[index]) for index, bijector in enumerate(bijectors)]
        return jnp.concatenate([jnp.stack(of_law), coordinates[len(of_law) :]])

    def residuals(self, coordinates: Float[Array, " n"], curves: Curves) -> Float[Array, " m"]:
        """What the noise and the priors make of the law's curves: squares that are -2 log L."""
        dynamics = self.dynamics(coordinates, curves)
        predicted = self.curve_fn(dynamics, curves.ts)
        rows = self.noise.residuals(predicted, curves, self.scales(coordinates, curves))
        if not self.priors:
            return rows
        values = self.law.parameter_values(dynamics)
        return jnp.concatenate([rows, jnp.stack([each.residual(values) for each in self.priors])])

    def numbers(self, coordinates: Float[Array, " n"], curves: Curves) -> Float[Array, " k"]:
        """The parameters, then the limits of the solver, the verifier and the gap."""
        dynamics = self.dynamics(coordinates, curves)
        return jnp.concatenate([self.law.parameter_values(dynamics), jnp.stack(dynamics.limits())])

    @property
    def reported(self) -> tuple[Parameter, ...]:
        """What `numbers` holds, in its order.

        A limit that is a parameter too, as the gap's is of most laws, has that parameter's bounds.
        """
        own = {parameter.name: parameter for parameter in self.law.parameters}
        limits = [(limit, own.get(f"{limit.name}_limit", limit)) for limit in LIMITS]
        bounded = [limit._replace(lower=same.lower, upper=same.upper) for limit, same in limits]
        return (*self.law.parameters, *bounded)


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
    log_likelihoods: Float[Array, "times 2"]
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


def fit_batch(
    problem: Problem,
    curves: Curves,
    num_free: Int[Array, ""],
    quantiles: Float[Array, " batch"],
    num_curves: Int[Array, ""],
) -> RawFit:
    """Fit the first `num_curves` of a batch: see :func:`jaxgap.fitting.fit`, which prepares it.

    `num_free` is the number of free coordinates, `quantiles` those of the distribution of zeta.
    What is returned beyond `num_curves` means nothing.
    """
    starts = jax.vmap(problem.starts)(curves)
    best = best_of_starts(problem, curves, starts, num_curves)
    coordinates, cost = best.coordinates, best.cost
    variance = jax.vmap(problem.noise.variance, in_axes=(0, 0, None))(
        cost, curves.num_measurements, num_free
    )
    fits = Minimised(coordinates, cost, variance, starts, curves)
    inside = fits._replace(coordinates=jax.vmap(lambda fit: _set_out(problem, fit))(fits))
    indices = np.array(visible(problem, curves.has_verifier))
    numbers, stderrs = jax.vmap(lambda fit: _numbers(problem, fit, indices))(fits)
    # How far to look first is told by the curvature where the searches set out.
    _, nearby = jax.vmap(lambda fit: _numbers(problem, fit, indices))(inside)
    intervals = _intervals(problem, inside, indices, numbers, nearby, quantiles, num_curves)
    # Filtered: a potential of one's own may hold what is no array, such as a network's activation.
    dynamics = eqx.filter_vmap(problem.dynamics)(coordinates, curves)
    fitted = eqx.filter_vmap(problem.curve_fn)(dynamics, curves.ts)
    agree = best.start_costs <= cost[:, None] * (1 + _AGREEMENT) + NOISE_FLOOR**2
    return RawFit(
        coordinates=coordinates,
        dynamics=dynamics,
        cost=cost,
        variance=variance,
        converged=best.converged,
        start_costs=best.start_costs,
        num_agreeing=jnp.sum(agree, axis=1),
        fitted=fitted,
        log_likelihoods=jax.vmap(problem.noise.log_likelihoods)(
            fitted, curves, jax.vmap(problem.scales)(coordinates, curves), cost
        ),
        numbers=numbers,
        stderrs=stderrs,
        intervals=intervals,
    )


class Best(NamedTuple):
    """The best minimum that was reached from several starts, for each of a batch of curves."""

    coordinates: Float[Array, "batch n"]
    cost: Float[Array, " batch"]
    converged: Bool[Array, " batch"]
    start_costs: Float[Array, "batch starts"]


def best_of_starts(
    problem: Problem,
    curves: Curves,
    starts: Float[Array, "batch starts n"],
    num_curves: Int[Array, ""],
) -> Best:
    """Minimise from every start of the first `num_curves` of a batch, and take the best."""
    num_starts = starts.shape[1]
    minima = minimise(
        problem.minimiser,
        problem.residuals,
        starts.reshape(-1, starts.shape[-1]),
        lambda index: jax.tree.map(lambda leaf: leaf[index // num_starts], curves),
        num_curves * num_starts,
    )
    minima = jax.tree.map(lambda leaf: leaf.reshape(starts.shape[:2] + leaf.shape[1:]), minima)
    costs = jnp.where(jnp.isfinite(minima.cost), minima.cost, jnp.inf)
    at = jnp.arange(len(costs)), jnp.argmin(costs, axis=1)
    return Best(minima.coordinates[at], costs[at], minima.converged[at], costs)


def minimised(problem: Problem, curves: Curves, raw: RawFit) -> Minimised:
    """The fit of one curve as what a profile starts from."""
    return Minimised(raw.coordinates, raw.cost, raw.variance, problem.starts(curves), curves)


def one_fit(problem: Problem, fit: Minimised) -> Minimised:
    """One fit as a batch from which a profile can set out."""
    inside = fit._replace(coordinates=_set_out(problem, jax.tree.map(jnp.asarray, fit)))
    return jax.tree.map(lambda leaf: jnp.asarray(leaf)[None], inside)


def _set_out(problem: Problem, fit: Minimised) -> Float[Array, " n"]:
    """Where the searches around one fit set out: off the bounds, if that is still a fair fit.

    A parameter on its bound may be half of a product that the data do hold: an erosion of next to
    nothing towards a loss of thousands. Moved without the other it leaves all data behind, further
    than the worst of the starts, and no refit finds the way back: each ends in a worse minimum, and
    the interval would close on the fit itself.
    """

    def cost(z):
        return jnp.sum(problem.residuals(z, fit.data) ** 2)

    # Where nothing changes, any rate fits. One that is slow can bring a limit from anywhere, but no
    # refit finds it from one that is so fast that the data cannot tell.
    low = problem.low_side(fit.coordinates, fit.data)
    one_low = jnp.where(jnp.eye(len(low), dtype=bool), low, fit.coordinates)
    rise = jnp.abs(jax.vmap(cost)(one_low) - cost(fit.coordinates))
    free = jnp.where(rise <= _NO_RISE * fit.variance, low, fit.coordinates)

    moved = problem.off_bounds(free, fit.data)
    is_fair = cost(moved) <= jnp.nanmax(jax.vmap(cost)(fit.starts))
    return jnp.where(is_fair, moved, fit.coordinates)


def _numbers(
    problem: Problem, fit: Minimised, indices: Int[np.ndarray, " k"]
) -> tuple[Float[Array, " k"], Float[Array, " k"]]:
    """The numbers at one fit, and their standard errors from the curvature there."""

    def numbers(z):
        found = problem.numbers(z, fit.data)[indices]
        return found, found

    slopes, found = jax.jacfwd(numbers, has_aux=True)(fit.coordinates)
    return found, standard_errors(problem, fit, slopes)


def standard_errors(
    problem: Problem, fit: Minimised, slopes: Float[Array, "k n"]
) -> Float[Array, " k"]:
    """By the delta method, of numbers that have these slopes at the fit."""
    jacobian = jax.jacfwd(problem.residuals)(fit.coordinates, fit.data)
    norms = jnp.linalg.norm(jacobian, axis=0)
    norms = jnp.where(norms > 0, norms, 1.0)
    scaled = (jacobian / norms).T @ (jacobian / norms)
    # A coordinate without effect has an empty row: its unit pivot keeps it out of the inverse.
    scaled = scaled + jnp.diag(jnp.where(jnp.diagonal(scaled) > 0, 0.0, 1.0))
    spread = jsl.cho_solve(jsl.cho_factor(scaled), (slopes / norms).T)
    return jnp.sqrt(fit.variance * jnp.maximum(jnp.sum(spread * (slopes / norms).T, axis=0), 0.0))


def _intervals(
    problem: Problem,
    fits: Minimised,
    indices: Int[np.ndarray, " k"],
    numbers: Float[Array, "batch k"],
    stderrs: Float[Array, "batch k"],
    quantiles: Float[Array, " batch"],
    num_curves: Int[Array, ""],
) -> Float[Array, "batch k 2"]:
    """Both ends of every number's profile interval, all at once."""
    reported = [problem.reported[index] for index in indices]
    natural = jnp.array([[p.lower, p.upper] for p in reported])
    span = jax.vmap(lambda curves: _span(reported, curves))
    typical, far = span(fits.data)
    bounds = jnp.clip(natural, far[..., :1], far[..., 1:])
    held = np.isin(indices, problem.held)[:, None]
    bounds = jnp.where(held, numbers[..., None], bounds)
    typical = jnp.maximum(typical, jnp.abs(numbers) * (natural[:, 0] == 0))

    ends = both_ends(
        jnp.asarray(indices),
        numbers,
        bounds,
        stderrs,
        typical,
        quantiles[:, None],
        fit=jnp.arange(len(numbers))[:, None],
    )
    found = profile_ends(
        lambda z, curves, index: problem.numbers(z, curves)[index],
        problem.residuals,
        problem.minimiser,
        fits,
        ends,
        num_curves * bounds[0].size,
    ).reshape(bounds.shape)
    return jnp.where((found == bounds) & ~held, natural, found)


def _span(
    reported: list[Parameter], curves: Curves
) -> tuple[Float[Array, " k"], Float[Array, "k 2"]]:
    """How large the numbers of one curve typically are, and how far off is too far."""
    typical = [jnp.asarray(typical_size(parameter, curves), float) for parameter in reported]
    return jnp.stack(typical), jnp.stack([horizon(parameter, curves) for parameter in reported])
