r"""Laws with the paper's rank-one coupling, for any potential.

All of them have the form $U(t) = U(t_0) + v\,\psi(t)$ for both curves, where $v$ is the mean
slope over the run and $\psi$ depends on the potential alone. So they are fitted in the coordinates
$U_s(t_0)$, $U_v(t_0)$, $v_s$, $r$ and the parameters of $\psi$. Unlike the gap's limit, which runs
off to infinity when the curves are straight lines, the data determine each of these separately.
And given $\psi$ the others follow by linear regression, which gives cheap starts.
"""

import abc
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxgap.dynamics.abstract_dynamics import AbstractDynamics
from jaxgap.dynamics.coupling import RankOneCoupling
from jaxgap.dynamics.gap_dynamics import GapDynamics
from jaxgap.dynamics.potential import AbstractClosedFormPotential, AbstractPotential
from jaxgap.dynamics.types import RealScalar
from jaxgap.fitting.curves import Curves
from jaxgap.fitting.laws.bijectors import AbstractBijector, Between, Fixed, GreaterThan, Real
from jaxgap.fitting.laws.law import AbstractLaw, Parameter
from jaxgap.fitting.laws.regression import regress

# With less decay than this over the data, the curve is a straight line and its limit anywhere; with
# a ratio of one the gap would never close.
_MIN_DECAY = 1e-4
# The ratios of a start, off the bounds, which a search could not leave.
START_RATIOS = (0.02, 0.98)
MAX_RATIO = 0.999

RATE = Parameter("rate", "1/time", lower=0.0)
RATIO = Parameter("ratio", "1", lower=0.0, upper=MAX_RATIO, needs_verifier=True)
GAP_LIMIT = Parameter("gap_limit", "gap", needs_verifier=True)
SOLVER_INITIAL = Parameter("solver_initial", "capability")
VERIFIER_INITIAL = Parameter("verifier_initial", "capability", needs_verifier=True)


class AbstractRankOneLaw(AbstractLaw):
    """A law whose potential has the parameters `shape`, the rate first, besides the gap's limit."""

    @abc.abstractmethod
    def potential(
        self, shape: Sequence[Float[Array, ""]], gap_limit: Float[Array, ""]
    ) -> AbstractPotential:
        """The potential with these parameters."""

    @abc.abstractmethod
    def part_closed(
        self, shape: Sequence[Float[Array, ""]], elapsed: Float[Array, "..."]
    ) -> Float[Array, "..."]:
        """The fraction of the gap's excess gone after `elapsed`, exact or approximate."""

    @abc.abstractmethod
    def shape_of(self, potential: AbstractPotential) -> tuple[RealScalar, ...]:
        """The parameters of such a potential, the rate first, excluding the gap's limit."""

    @abc.abstractmethod
    def shape_bijectors(self, curves: Curves) -> tuple[AbstractBijector, ...]:
        """One bijector for each parameter of the potential other than the gap's limit."""

    @abc.abstractmethod
    def shape_starts(self) -> Float[np.ndarray, "starts shape"]:
        """Coordinates of the potential's parameters, spread over the plausible range."""

    def bijectors(self, curves: Curves) -> tuple[AbstractBijector, ...]:
        value = curves.value_scale
        verifier, ratio = verifier_bijectors(curves)
        slope = Real(0.0, value / curves.duration)
        solver = Real(curves.ys[0, 0], value)
        return (solver, verifier, ratio, slope, *self.shape_bijectors(curves))

    def starts(self, curves: Curves) -> Float[Array, "starts coordinates"]:
        bijectors = self.bijectors(curves)

        def start(shape_coordinates):
            shape = [b.constrain(c) for b, c in zip(bijectors[4:], shape_coordinates, strict=True)]
            psi = self.part_closed(shape, curves.ts - curves.t0) * self._reach(shape, curves)
            values = jnp.stack(regress_rank_one(psi, curves))
            linear = [b.unconstrain(v) for b, v in zip(bijectors[:4], values, strict=True)]
            return jnp.concatenate([jnp.stack(linear), shape_coordinates])

        return jax.vmap(start)(jnp.asarray(self.shape_starts()))

    def dynamics(self, values: Sequence[Float[Array, ""]], curves: Curves) -> AbstractDynamics:
        solver, verifier, ratio, slope, *shape = values
        # The solver changes by the closed part of the excess, divided by 1 - r.
        gap_limit = solver - verifier + (1 - ratio) * slope * self._reach(shape, curves)
        rate, *further = shape
        return self.from_parameters([rate, ratio, gap_limit, solver, verifier, *further], curves)

    def parameter_values(self, dynamics: AbstractDynamics) -> Float[Array, " parameters"]:
        assert isinstance(dynamics, GapDynamics)
        assert isinstance(dynamics.coupling, RankOneCoupling)
        rate, *further = self.shape_of(dynamics.potential)
        values = [
            rate,
            dynamics.coupling.ratio,
            dynamics.potential.gap_limit,
            dynamics.solver_initial,
            dynamics.verifier_initial,
            *further,
        ]
        return jnp.stack([jnp.asarray(value) for value in values])

    def from_parameters(
        self, values: Sequence[RealScalar] | Float[Array, " parameters"], curves: Curves
    ) -> AbstractDynamics:
        rate, ratio, gap_limit, solver, verifier, *further = (jnp.asarray(v) for v in values)
        return GapDynamics(
            potential=self.potential([rate, *further], gap_limit),
            coupling=RankOneCoupling(ratio),
            solver_initial=solver,
            verifier_initial=verifier,
            t0=curves.t0,
        )

    def _reach(self, shape: Sequence[Float[Array, ""]], curves: Curves) -> Float[Array, ""]:
        """The excess of which the run closes an amount equal to its duration: mean slope one."""
        duration = jnp.asarray(curves.duration)
        return duration / self.part_closed(shape, duration)


class AbstractClosedFormRankOneLaw(AbstractRankOneLaw):
    """A law whose potential has a closed form, and a shape relative to the initial excess."""

    @abc.abstractmethod
    def potential(
        self, shape: Sequence[Float[Array, ""]], gap_limit: RealScalar
    ) -> AbstractClosedFormPotential:
        """The potential with these parameters."""

    def part_closed(
        self, shape: Sequence[Float[Array, ""]], elapsed: Float[Array, "..."]
    ) -> Float[Array, "..."]:
        # That of every excess: here it goes from one to zero.
        return 1 - self.potential(shape, 0.0).gap_at(elapsed, 1.0)


def regress_rank_one(
    psi: Float[Array, " times"], curves: Curves
) -> tuple[Float[Array, ""], Float[Array, ""], Float[Array, ""], Float[Array, ""]]:
    r"""Regress the curves on $\psi$, which starts at zero: $U_s(t_0)$, $U_v(t_0)$, $r$, $v_s$."""
    basis = jnp.stack([jnp.ones_like(psi), psi], axis=1)
    slope, verifier_slope = (
        regress(basis, curves.ys[:, series], curves.weights[:, series])[1] for series in (0, 1)
    )
    ratio = verifier_slope / jnp.where(slope == 0, 1.0, slope)
    # Beyond its range the best ratio is at one of the ends, and the slope there is another.
    ratios = jnp.array([jnp.clip(ratio, *START_RATIOS), *START_RATIOS])
    (solver, verifier, slope), squares = jax.vmap(lambda r: _regress_both(psi, r, curves))(ratios)
    best = jnp.argmin(squares)
    return solver[best], verifier[best], ratios[best], slope[best]


def _regress_both(psi: Float[Array, " times"], ratio: Float[Array, ""], curves: Curves):
    """The initial values and the solver's slope for a given ratio, and the squares left."""
    ones, none = jnp.ones_like(psi), jnp.zeros_like(psi)
    solver = jnp.stack([ones, none, psi], axis=1)
    verifier = jnp.stack([none, ones, ratio * psi], axis=1)
    basis = jnp.concatenate([solver, verifier])
    ys, weights = curves.ys.T.ravel(), curves.weights.T.ravel()
    coefficients = regress(basis, ys, weights)
    return tuple(coefficients), jnp.sum((weights * (ys - basis @ coefficients)) ** 2)


def verifier_bijectors(curves: Curves) -> tuple[AbstractBijector, AbstractBijector]:
    """Bijectors for the verifier's initial value and for a ratio."""
    if curves.has_verifier:
        return Real(curves.ys[0, 1], curves.value_scale), Between(0.0, MAX_RATIO)
    # A verifier fixed at zero: the gap is then the solver's own curve.
    return Fixed(0.0), Fixed(0.0)


def rate_bijector(curves: Curves) -> AbstractBijector:
    """The bijector for a rate; its lower bound is a straight line over the data."""
    return GreaterThan(_MIN_DECAY / curves.duration, 1.0 / curves.duration)
