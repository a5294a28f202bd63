"""Bijectors: constraints on parameters, as data.

A least-squares solver works on unconstrained real coordinates. Each coordinate of a law has a
bijector that maps it to an allowed value: a rate above zero, a ratio between 0 and 1. The scale of
a bijector makes a unit step in the coordinate a sensible step in the value, whatever the unit of
the data.
"""

import abc

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxgap.dynamics.types import RealScalar

# Beyond this the maps are at their bound and flat, so that a search that gets there can stop.
_EDGE = 12.0


class AbstractBijector(eqx.Module):
    """A smooth, monotone map from any real coordinate to an allowed value."""

    @abc.abstractmethod
    def constrain(self, coordinate: Float[Array, "..."]) -> Float[Array, "..."]:
        """The value at a coordinate."""

    @abc.abstractmethod
    def unconstrain(self, value: Float[Array, "..."]) -> Float[Array, "..."]:
        """The coordinate of a value within the bounds."""

    def off_bounds(
        self, coordinate: Float[Array, "..."], flat: float, inside: float
    ) -> Float[Array, "..."]:
        """The coordinate, moved back to `inside` where it is beyond `flat`, at a bound.

        Both are measured from where the map begins to bend. Unbounded coordinates are unchanged.
        """
        low, high = self._bends()
        moved = jnp.clip(coordinate, low - inside, high + inside)
        at_bound = (coordinate < low - flat) | (coordinate > high + flat)
        return jnp.where(at_bound, moved, coordinate)

    def low_side(self, coordinate: Float[Array, "..."], inside: float) -> Float[Array, "..."]:
        """The coordinate at `inside` below where the map begins to bend; zero without bounds."""
        low, _ = self._bends()
        return jnp.broadcast_to(jnp.where(jnp.isfinite(low), low - inside, 0.0), coordinate.shape)

    def _bends(self) -> tuple[RealScalar, RealScalar]:
        """The coordinates beyond which the map approaches its bounds, low end first."""
        return 0.0, 0.0


class Real(AbstractBijector):
    """Any real value: `location + scale * coordinate`."""

    location: RealScalar = 0.0
    scale: RealScalar = 1.0

    def constrain(self, coordinate: Float[Array, "..."]) -> Float[Array, "..."]:
        return self.location + self.scale * coordinate

    def unconstrain(self, value: Float[Array, "..."]) -> Float[Array, "..."]:
        return (value - self.location) / self.scale

    def _bends(self) -> tuple[RealScalar, RealScalar]:
        return -jnp.inf, jnp.inf


class GreaterThan(AbstractBijector):
    """A value above `lower`: `lower + scale * exp(coordinate)`."""

    lower: RealScalar = 0.0
    scale: RealScalar = 1.0

    def constrain(self, coordinate: Float[Array, "..."]) -> Float[Array, "..."]:
        return self.lower + self.scale * jnp.exp(jnp.clip(coordinate, -_EDGE, _EDGE))

    def unconstrain(self, value: Float[Array, "..."]) -> Float[Array, "..."]:
        return jnp.log((value - self.lower) / self.scale)


class LessThan(AbstractBijector):
    """A value below `upper`: `upper - scale * exp(coordinate)`."""

    upper: RealScalar
    scale: RealScalar = 1.0

    def constrain(self, coordinate: Float[Array, "..."]) -> Float[Array, "..."]:
        return self.upper - self.scale * jnp.exp(jnp.clip(coordinate, -_EDGE, _EDGE))

    def unconstrain(self, value: Float[Array, "..."]) -> Float[Array, "..."]:
        return jnp.log((self.upper - value) / self.scale)


class Between(AbstractBijector):
    """A value between `lower` and `upper`: a logistic function of the coordinate.

    `offset` is the argument of the logistic function at coordinate zero.
    """

    lower: RealScalar
    upper: RealScalar
    offset: RealScalar = 0.0

    @classmethod
    def around(cls, lower: RealScalar, upper: RealScalar, centre: RealScalar) -> "Between":
        """With `centre`, a value between the bounds, at coordinate zero.

        However far apart the bounds are, a unit step is then about as long as the distance from the
        centre to the nearer bound.
        """
        return cls(lower, upper, jnp.log(centre - lower) - jnp.log(upper - centre))

    def constrain(self, coordinate: Float[Array, "..."]) -> Float[Array, "..."]:
        low = jnp.minimum(self.offset, 0.0) - _EDGE
        high = jnp.maximum(self.offset, 0.0) + _EDGE
        return self.lower + (self.upper - self.lower) * jax.nn.sigmoid(
            jnp.clip(coordinate + self.offset, low, high)
        )

    def unconstrain(self, value: Float[Array, "..."]) -> Float[Array, "..."]:
        return jnp.log(value - self.lower) - jnp.log(self.upper - value) - self.offset

    def _bends(self) -> tuple[RealScalar, RealScalar]:
        return jnp.minimum(-self.offset, 0.0), jnp.maximum(-self.offset, 0.0)


class Fixed(AbstractBijector):
    """A constant value, for a parameter that is given or that the curves cannot show."""

    value: RealScalar

    def constrain(self, coordinate: Float[Array, "..."]) -> Float[Array, "..."]:
        return jnp.full_like(coordinate, self.value)

    def unconstrain(self, value: Float[Array, "..."]) -> Float[Array, "..."]:
        return jnp.zeros_like(value)

    def _bends(self) -> tuple[RealScalar, RealScalar]:
        return -jnp.inf, jnp.inf
