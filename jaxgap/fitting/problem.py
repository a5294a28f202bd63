"""Everything that defines a fit except the data: a law, its curves, the noise and the priors.

The residuals of a problem are a pure function of coordinates and curves. The rest of a fit
minimises, profiles and differentiates that function.
"""

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxgap.dynamics.abstract_dynamics import AbstractDynamics
from jaxgap.fitting.curves import Curves
from jaxgap.fitting.laws.bijectors import AbstractBijector, Fixed
from jaxgap.fitting.laws.law import LIMITS, AbstractLaw, Parameter
from jaxgap.fitting.least_squares.minimiser import AbstractMinimiser
from jaxgap.fitting.noise.abstract_noise import NOISE_FLOOR, AbstractNoise
from jaxgap.fitting.noise.gaussian import EstimatedScale
from jaxgap.fitting.priors import IndexedPrior

CurveFn = Callable[[AbstractDynamics, Float[Array, " times"]], Float[Array, "times 2"]]

# How far past its bend a bounded map counts as flat, and where a coordinate there is moved back to.
_FLAT, _INSIDE = 8.0, 4.0


class FitProblem(eqx.Module):
    """All that defines a fit except the data. Coordinates are the law's, then the noise's.

    - `law`: which dynamics are fitted, and in which coordinates.
    - `curve_fn`: how the curves of such dynamics are computed.
    - `minimiser`: how the sum of squares is minimised.
    - `noise`: how measurements scatter about the curves.
    - `priors`: on the law's parameters, by index.
    - `held`: the indices in `reported` of numbers that no coordinate moves.
    """

    law: AbstractLaw
    curve_fn: CurveFn
    minimiser: AbstractMinimiser
    noise: AbstractNoise = EstimatedScale()
    priors: tuple[IndexedPrior, ...] = ()
    held: tuple[int, ...] = eqx.field(static=True, default=())

    def dynamics(self, coordinates: Float[Array, " n"], curves: Curves) -> AbstractDynamics:
        """The dynamics at the given coordinates."""
        return self.law.dynamics_at(coordinates, curves)

    def scales(self, coordinates: Float[Array, " n"], curves: Curves) -> Float[Array, " scales"]:
        """The noise's own coordinates."""
        return coordinates[len(self.law.bijectors(curves)) :]

    def starts(self, curves: Curves) -> Float[Array, "starts n"]:
        """The law's starts, each followed by the scale of its residuals."""
        return jax.vmap(lambda start: self.with_scales(start, curves))(self.law.starts(curves))

    def with_scales(self, of_law: Float[Array, " m"], curves: Curves) -> Float[Array, " n"]:
        """The law's coordinates followed by the scale of their residuals, once per noise scale."""
        num_scales = self.noise.num_scales(curves)
        if not num_scales:
            return of_law
        predicted = self.curve_fn(self.dynamics(of_law, curves), curves.ts)
        relative = (predicted - curves.ys) * (curves.weights > 0) / curves.value_scale
        mean_square = jnp.sum(relative**2) / curves.num_measurements
        scale = 0.5 * jnp.log(mean_square + NOISE_FLOOR**2)
        return jnp.concatenate([of_law, jnp.broadcast_to(scale, (num_scales,))])

    def deviations(self, coordinates: Float[Array, " n"], curves: Curves) -> Float[Array, " m"]:
        """Weighted differences between the law's curves and the measured ones, row by row."""
        predicted = self.curve_fn(self.dynamics(coordinates, curves), curves.ts)
        return ((predicted - curves.ys) * curves.weights).ravel()

    def off_bounds(self, coordinates: Float[Array, " n"], curves: Curves) -> Float[Array, " n"]:
        """The same coordinates, with those of parameters on a bound moved inside.

        On a bound the map is flat, and a least-squares search started there would never move it.
        """
        return self._by_bijector(lambda b, z: b.off_bounds(z, _FLAT, _INSIDE), coordinates, curves)

    def low_side(self, coordinates: Float[Array, " n"], curves: Curves) -> Float[Array, " n"]:
        """Each coordinate near the low end of its map, still off the bound; zero if unbounded."""
        return self._by_bijector(lambda b, z: b.low_side(z, _INSIDE), coordinates, curves)

    def _by_bijector(
        self,
        move: Callable[[AbstractBijector, Float[Array, ""]], Float[Array, ""]],
        coordinates: Float[Array, " n"],
        curves: Curves,
    ) -> Float[Array, " n"]:
        """Apply `move` to each of the law's coordinates; those of the noise stay."""
        bijectors = self.law.bijectors(curves)
        of_law = [move(bijector, coordinates[index]) for index, bijector in enumerate(bijectors)]
        return jnp.concatenate([jnp.stack(of_law), coordinates[len(of_law) :]])

    def residuals(self, coordinates: Float[Array, " n"], curves: Curves) -> Float[Array, " m"]:
        """Residuals whose sum of squares is -2 log L, and those of the priors.

        Like every rise of the sum, a prior's square is later divided by the noise's variance. So it
        is multiplied by that here: a prior weighs the same however the noise is known.
        """
        dynamics = self.dynamics(coordinates, curves)
        predicted = self.curve_fn(dynamics, curves.ts)
        rows = self.noise.residuals(predicted, curves, self.scales(coordinates, curves))
        if not self.priors:
            return rows
        values = self.law.parameter_values(dynamics)
        of_priors = jnp.stack([each.residual(values) for each in self.priors])
        variance = self.noise.variance(
            jnp.sum(rows**2), curves.num_measurements, jnp.asarray(self.num_free(curves))
        )
        return jnp.concatenate([rows, jnp.sqrt(variance) * of_priors])

    def numbers(self, coordinates: Float[Array, " n"], curves: Curves) -> Float[Array, " k"]:
        """The parameters, then the limits of the solver, the verifier and the gap."""
        return self.numbers_of(self.dynamics(coordinates, curves))

    def numbers_of(self, dynamics: AbstractDynamics) -> Float[Array, " k"]:
        """What :meth:`numbers` are at these dynamics."""
        return jnp.concatenate([self.law.parameter_values(dynamics), jnp.stack(dynamics.limits())])

    @property
    def reported(self) -> tuple[Parameter, ...]:
        """What the entries of `numbers` are, in order.

        A limit that is also a parameter, as the gap's is in most laws, has that parameter's bounds.
        """
        own = {parameter.name: parameter for parameter in self.law.parameters}
        limits = [(limit, own.get(f"{limit.name}_limit", limit)) for limit in LIMITS]
        bounded = [limit._replace(lower=same.lower, upper=same.upper) for limit, same in limits]
        return (*self.law.parameters, *bounded)

    def visible(self, has_verifier: bool) -> tuple[int, ...]:
        """The indices in `reported` of the numbers that such curves can show."""
        return tuple(
            index
            for index, parameter in enumerate(self.reported)
            if has_verifier or not parameter.needs_verifier
        )

    def num_free(self, curves: Curves) -> int:
        """How many of the law's coordinates such curves can move."""
        return sum(not isinstance(each, Fixed) for each in self.law.bijectors(curves))

    def dof(self, curves: Curves) -> float:
        """Degrees of freedom of the errors of a fit: infinite where the noise is known."""
        if curves.noise_known:
            return np.inf
        return float(curves.num_measurements) - self.num_free(curves)
