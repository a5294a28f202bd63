r"""The shapes that a capability's curve may take, and their priors.

A curve is forecast as the logarithm of an uncertainty in nats or of an error rate, lower being more
capable:

$$\log U(t) = c_0 + c_1 \psi_1(u) + c_2 \psi_2(u) + w(u), \qquad u = (t - t_0) / W,$$

with time in units of the observed window $W$, shapes $\psi$ that rise from 0 at the start to 1 in
the end (of one, to infinity), amplitudes $c$, and a wandering residual $w$. The logarithm keeps
uncertainties and error rates above zero without an explicit bound, however close to zero they come.

A shape's parameters enter nonlinearly and are drawn from a prior; the amplitudes enter linearly and
are integrated out exactly (:mod:`jaxgap.fitting.forecasting.filter`). All times are relative to the
window, so a forecast does not depend on the unit of time.

The family covers what loops are known to do. The exponential approach to a limit above zero is not
a separate member: it is the limit of the power law where the exponent q is 1, and the sum of two
exponentials (the general linear law) is the same limit of the two-phase shape. Listing them would
only count them twice. The approach to zero is one, because its logarithm has no limit.
"""

import abc
import math
from typing import ClassVar, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from equinox import AbstractClassVar
from jaxtyping import Array, Float

from jaxgap.dynamics import PowerPotential
from jaxgap.dynamics.types import RealScalar

# The most parameters, and the most terms, of any shape.
NUM_SHAPE_PARAMETERS = 4
NUM_TERMS = 2


class LogNormalPrior(NamedTuple):
    """A positive number whose logarithm is normal: its median and the spread of the logarithm."""

    median: float
    spread: float

    def at(self, normal: Float[Array, "..."]) -> Float[Array, "..."]:
        """The number that corresponds to a standard normal draw."""
        return self.median * jnp.exp(self.spread * normal)


class Amplitude(NamedTuple):
    """The prior of a term's amplitude, on the log scale: negative is a gain."""

    mean: float
    stderr: float

    def share(self, part: float) -> "Amplitude":
        """The fraction `part` of this amplitude, as one of independent ones that sum to it."""
        return Amplitude(self.mean * part, self.stderr * math.sqrt(part))


# Published runs divide the error or the uncertainty by about e, within a factor of 3.
GAIN = Amplitude(-1.0, 1.2)
# What over-optimisation takes back: about half as much; in one of six draws it is a gain.
LOSS = Amplitude(0.5, 0.5)
_ABSENT = Amplitude(0.0, 0.0)


class AbstractShape(eqx.Module):
    """One shape of a curve, with the prior of its parameters.

    - `amplitudes`: the priors of the terms' amplitudes.
    - `has_limit`: whether a run of this shape has a limit at all.
    - `end`: what the first term comes to as time goes to infinity.
    - `prior_odds`: how likely the shape is before anything is seen, compared with the others.
    - `diffusion_factor`: how much more the residual wanders than beside a law.
    """

    name: AbstractClassVar[str]
    amplitudes: AbstractClassVar[tuple[Amplitude, Amplitude]]
    has_limit: ClassVar[bool] = True
    end: ClassVar[float] = 1.0
    prior_odds: ClassVar[float] = 1.0
    diffusion_factor: ClassVar[float] = 1.0

    @abc.abstractmethod
    def terms(
        self, u: Float[Array, " times"], normals: Float[Array, " 4"]
    ) -> Float[Array, "times 2"]:
        """Both terms at times `u >= 0`, for the parameters given as standard `normals`."""


class PowerApproach(AbstractShape):
    """Gains that slow down as a power of what is left: the theory's ODE with E = k (G - G_inf)^q.

    With exponent q the approach is a power of time, `(1 + kappa u / p)^-p`, where p = 1 / (q - 1).
    """

    name: ClassVar[str] = "power"
    amplitudes: ClassVar[tuple[Amplitude, Amplitude]] = (GAIN, _ABSENT)
    # Typically a few e-foldings within the window; possibly hardly any, or all in the first step.
    rate: LogNormalPrior = LogNormalPrior(5.0, 1.5)
    # 90 % of q between 1.4 and 6.3, median 2.4.
    power: LogNormalPrior = LogNormalPrior(0.7, 0.8)

    def terms(
        self, u: Float[Array, " times"], normals: Float[Array, " 4"]
    ) -> Float[Array, "times 2"]:
        gained = _power_approach(u, self.rate.at(normals[0]), self.power.at(normals[1]))
        return jnp.stack([gained, jnp.zeros_like(u)], -1)


class LaggedApproach(AbstractShape):
    """Gains that may start slowly: more correct samples give more data to learn from.

    `u^B / (m^B + u^B)`, the sigmoid of ScaleRL (arXiv:2510.13786); with B <= 1 there is no lag. The
    tail is a power law.
    """

    name: ClassVar[str] = "lagged"
    amplitudes: ClassVar[tuple[Amplitude, Amplitude]] = (GAIN, _ABSENT)
    midpoint: LogNormalPrior = LogNormalPrior(0.5, 1.5)
    steepness: LogNormalPrior = LogNormalPrior(1.0, 0.6)

    def terms(
        self, u: Float[Array, " times"], normals: Float[Array, " 4"]
    ) -> Float[Array, "times 2"]:
        gained = _sigmoid_approach(u, self.midpoint.at(normals[0]), self.steepness.at(normals[1]))
        return jnp.stack([gained, jnp.zeros_like(u)], -1)


class TwoPhaseApproach(AbstractShape):
    """A quick gain (the format of an answer, say), and a slow one beneath it."""

    name: ClassVar[str] = "two_phase"
    amplitudes: ClassVar[tuple[Amplitude, Amplitude]] = (GAIN.share(0.5), GAIN.share(0.5))
    # Over within about a twentieth of the window.
    quick_rate: LogNormalPrior = LogNormalPrior(20.0, 1.0)
    slow: PowerApproach = PowerApproach()

    def terms(
        self, u: Float[Array, " times"], normals: Float[Array, " 4"]
    ) -> Float[Array, "times 2"]:
        quick = -jnp.expm1(-self.quick_rate.at(normals[2]) * u)
        return jnp.stack([quick, self.slow.terms(u, normals)[:, 0]], -1)


class RiseThenFall(AbstractShape):
    """A gain that is later partly lost again: the verifier is over-optimised.

    The loss sets in around the end of the window, so it may have been seen already or lie ahead.
    """

    name: ClassVar[str] = "rise_then_fall"
    amplitudes: ClassVar[tuple[Amplitude, Amplitude]] = (GAIN, LOSS)
    gain: LaggedApproach = LaggedApproach()
    onset: LogNormalPrior = LogNormalPrior(1.0, 1.0)
    onset_steepness: LogNormalPrior = LogNormalPrior(3.0, 0.5)

    def terms(
        self, u: Float[Array, " times"], normals: Float[Array, " 4"]
    ) -> Float[Array, "times 2"]:
        gained = self.gain.terms(u, normals)[:, 0]
        lost = _sigmoid_approach(u, self.onset.at(normals[2]), self.onset_steepness.at(normals[3]))
        return jnp.stack([gained, lost], -1)


class DecayToZero(AbstractShape):
    """A task that is being solved: an exponential with no limit above zero, `kappa u`.

    The prior is that most of the way has been seen. Of a curve that has yet to fall, nothing says
    that it will fall to zero.
    """

    name: ClassVar[str] = "decay_to_zero"
    amplitudes: ClassVar[tuple[Amplitude, Amplitude]] = (Amplitude(-1.0, 0.0), _ABSENT)
    end: ClassVar[float] = math.inf
    # Few runs solve their task.
    prior_odds: ClassVar[float] = 0.25
    # Within the window errors are divided by 12; in 90 % of draws by 2.5 to 800.
    rate: LogNormalPrior = LogNormalPrior(2.5, 0.6)

    def terms(
        self, u: Float[Array, " times"], normals: Float[Array, " 4"]
    ) -> Float[Array, "times 2"]:
        fallen = self.rate.at(normals[0]) * u
        return jnp.stack([fallen, jnp.zeros_like(u)], -1)


class RandomWalk(AbstractShape):
    """No law at all: the curve drifts at random from where it is."""

    name: ClassVar[str] = "random_walk"
    amplitudes: ClassVar[tuple[Amplitude, Amplitude]] = (_ABSENT, _ABSENT)
    has_limit: ClassVar[bool] = False
    # The residual has to carry the whole curve.
    diffusion_factor: ClassVar[float] = 2.0

    def terms(
        self, u: Float[Array, " times"], normals: Float[Array, " 4"]
    ) -> Float[Array, "times 2"]:
        del normals
        return jnp.zeros((*u.shape, NUM_TERMS), u.dtype)


SHAPES: tuple[AbstractShape, ...] = (
    PowerApproach(),
    LaggedApproach(),
    TwoPhaseApproach(),
    RiseThenFall(),
    DecayToZero(),
    RandomWalk(),
)


def _power_approach(
    u: Float[Array, " times"], rate: RealScalar, power: RealScalar
) -> Float[Array, " times"]:
    """The fraction of the way done when the theory's gap closes under a power potential."""
    return 1.0 - PowerPotential(rate=rate, gap_limit=0.0, exponent=1 + 1 / power).gap_at(u, 1.0)


def _sigmoid_approach(
    u: Float[Array, " times"], midpoint: RealScalar, steepness: RealScalar
) -> Float[Array, " times"]:
    """`u^B / (m^B + u^B)`, which is 0 at `u = 0`."""
    started = u > 0
    # As a logistic function of a logarithm, which no large power can overflow.
    logarithm = steepness * jnp.log(jnp.where(started, u, 1.0) / midpoint)
    return jnp.where(started, jax.nn.sigmoid(logarithm), 0.0)
