"""Laws: what a fit needs to know about a family of dynamics.

A law names its parameters and defines the coordinates in which to search for them and the starts.
The coordinates need not be the parameters: a fit is most robust where the data determine each
coordinate separately, a report is clearest in the theory's own symbols.
"""

import abc
from collections.abc import Sequence
from typing import Literal, NamedTuple

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from equinox import AbstractVar
from jaxtyping import Array, Float

from jaxgap.dynamics.abstract_dynamics import AbstractDynamics
from jaxgap.dynamics.types import RealScalar
from jaxgap.fitting.curves import Curves
from jaxgap.fitting.laws.bijectors import AbstractBijector
from jaxgap.trajectory import Kind

# A number more than this many typical sizes away from the data is as good as unknown.
_FAR = 100.0
# A decay is too fast to see if this many lifetimes pass between the two closest rows.
_MOST_LIFETIMES = 5.0


class Parameter(NamedTuple):
    """A reported number: its name, its unit, its natural bounds, and which curves it needs.

    `unit` is `"capability"` (nats, or an error rate), `"gap"` (solver minus verifier), `"change"`
    (of one capability over time), `"1/time"` or `"1"`. A capability that needs the verifier is the
    verifier's.
    """

    name: str
    unit: Literal["capability", "gap", "change", "1/time", "1"]
    lower: float = -np.inf
    upper: float = np.inf
    needs_verifier: bool = False

    def is_mirrored(self, kind: Kind) -> bool:
        """Whether the equations have an error rate where a trajectory has an accuracy."""
        return kind == "accuracy" and self.unit == "capability"


LIMITS = (
    Parameter("solver", "capability"),
    Parameter("verifier", "capability", needs_verifier=True),
    Parameter("gap", "gap", needs_verifier=True),
)


class AbstractLaw(eqx.Module):
    """A family of dynamics that can be fitted to curves."""

    name: AbstractVar[str]
    parameters: AbstractVar[tuple[Parameter, ...]]

    @abc.abstractmethod
    def bijectors(self, curves: Curves) -> tuple[AbstractBijector, ...]:
        """One bijector for each coordinate, scaled to the curves."""

    @abc.abstractmethod
    def starts(self, curves: Curves) -> Float[Array, "starts coordinates"]:
        """Coordinates to start a fit from: deterministic, spread over the plausible range."""

    @abc.abstractmethod
    def dynamics(self, values: Sequence[Float[Array, ""]], curves: Curves) -> AbstractDynamics:
        """The dynamics at the constrained values of the coordinates."""

    def dynamics_at(self, coordinates: Float[Array, " n"], curves: Curves) -> AbstractDynamics:
        """The dynamics at the given coordinates; any after the law's own have no effect."""
        bijectors = self.bijectors(curves)
        of_law = coordinates[: len(bijectors)]
        values = [b.constrain(z) for b, z in zip(bijectors, of_law, strict=True)]
        return self.dynamics(values, curves)

    @abc.abstractmethod
    def parameter_values(self, dynamics: AbstractDynamics) -> Float[Array, " parameters"]:
        """The parameters of such dynamics, in the order of `parameters`."""

    @abc.abstractmethod
    def from_parameters(
        self, values: Sequence[RealScalar] | Float[Array, " parameters"], curves: Curves
    ) -> AbstractDynamics:
        """The dynamics with the given parameters: the inverse of `parameter_values`.

        Needed because a fit that holds, bounds or ties parameters searches in the parameters, not
        in the law's coordinates. `curves` supplies what is not a parameter, the initial time. Any
        finite values within the bounds of `parameters` must give finite curves.
        """


def typical_size(parameter: Parameter, curves: Curves) -> RealScalar:
    """The order of magnitude of a parameter, from its unit and the scales of the data."""
    match parameter.unit:
        case "capability" | "gap" | "change":
            return curves.value_scale
        case "1/time":
            return 1 / curves.duration
        case "1":
            return 0.5


def typical_location(parameter: Parameter, curves: Curves) -> RealScalar:
    """About where a parameter lies: at the first measurement of its own series, or at zero.

    A curve may vary little compared with its level, so that zero is many of its ranges away.
    """
    solver, verifier = curves.ys[0, 0], curves.ys[0, 1]
    match parameter.unit:
        case "capability":
            return verifier if parameter.needs_verifier else solver
        case "gap":
            return solver - verifier
        case _:
            return 0.0


def horizon(parameter: Parameter, curves: Curves) -> Float[Array, "2"]:
    """The lowest and highest value that counts as known; an interval that goes beyond is open.

    They shift with the parameter's series if a constant is added to it. A rate can be known up to
    where it is too fast for the two rows closest in time.
    """
    far = _FAR * jnp.asarray(typical_size(parameter, curves))
    if parameter.unit == "1/time":
        spacings = jnp.diff(curves.ts)
        # The padding repeats the last time.
        nearest = jnp.min(jnp.where(spacings > 0, spacings, jnp.inf))
        far = jnp.maximum(far, _MOST_LIFETIMES / nearest)
    return typical_location(parameter, curves) + far * jnp.array([-1.0, 1.0])
