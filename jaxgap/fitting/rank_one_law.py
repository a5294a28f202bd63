r"""Laws with the paper's rank-one coupling, for any potential with a closed form.

All of them have the shape $U(t) = U(t_0) + v\,\psi(t)$ for both curves, where $v$ is the initial
slope and $\psi$ depends on the potential alone. So they are fitted in the coordinates $U_s(t_0)$,
$U_v(t_0)$, $v_s$, $r$ and the parameters of $\psi$. Unlike the gap's limit, which runs off to
infinity when the curves are straight lines, each of these is held by the data by itself. And given
$\psi$ the best of the others is a linear regression, which gives every start for free.
"""

import abc
from collections.abc import Sequence
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxgap.dynamics.abstract_dynamics import AbstractDynamics
from jaxgap.dynamics.coupling import RankOneCoupling
from jaxgap.dynamics.gap_dynamics import GapDynamics
from jaxgap.dynamics.linear_potential import LinearPotential
from jaxgap.dynamics.potential import AbstractClosedFormPotential, AbstractPotential
from jaxgap.dynamics.power_potential import PowerPotential
from jaxgap.dynamics.types import RealScalar
from jaxgap.fitting.bijectors import AbstractBijector, Between, Fixed, GreaterThan, Real
from jaxgap.fitting.curves import Curves
from jaxgap.fitting.law import AbstractLaw, Parameter

# Slower than this over the whole of the data, a decay is a straight line and its limit anywhere;
# and with a ratio of one the gap would never close. Both ends are open.
_MIN_DECAY = 1e-4
_MAX_RATIO = 0.999

_RATE = Parameter("rate", "1/time", lower=0.0)
_RATIO = Parameter("ratio", "1", lower=0.0, upper=1.0, needs_verifier=True)
_GAP_LIMIT = Parameter("gap_limit", "gap", needs_verifier=True)
_SOLVER_INITIAL = Parameter("solver_initial", "capability")
_VERIFIER_INITIAL = Parameter("verifier_initial", "capability", needs_verifier=True)
_EXPONENT = Parameter("exponent", "1", lower=1.0)


class AbstractRankOneLaw(AbstractLaw):
    """A potential in the coordinates `shape`, of which the first is the rate."""

    @abc.abstractmethod
    def potential(
        self, shape: Sequence[Float[Array, ""]], gap_limit: Float[Array, ""]
    ) -> AbstractClosedFormPotential:
        """The potential with these parameters."""

    @abc.abstractmethod
    def shape_of(self, potential: AbstractPotential) -> tuple[RealScalar, ...]:
        """The parameters of such a potential, the rate first, without the gap's limit."""

    @abc.abstractmethod
    def shape_bijectors(self, curves: Curves) -> tuple[AbstractBijector, ...]:
        """One for each parameter of the potential other than the gap's limit."""

    @abc.abstractmethod
    def shape_starts(self) -> Float[np.ndarray, "starts shape"]:
        """Coordinates of the potential's parameters, spread over what is plausible."""

    def bijectors(self, curves: Curves) -> tuple[AbstractBijector, ...]:
        value = curves.value_scale
        if curves.has_verifier:
            verifier: tuple[AbstractBijector, ...] = (
                Real(curves.ys[0, 1], value),
                Between(0.0, _MAX_RATIO),
            )
        else:
            # A verifier that stands still at zero: the gap is then the solver's own curve.
            verifier = (Fixed(0.0), Fixed(0.0))
        slope = Real(0.0, value / curves.duration)
        return (Real(curves.ys[0, 0], value), *verifier, slope, *self.shape_bijectors(curves))

    def starts(self, curves: Curves) -> Float[Array, "starts coordinates"]:
        bijectors = self.bijectors(curves)

        def start(shape_coordinates):
            shape = [b.constrain(c) for b, c in zip(bijectors[4:], shape_coordinates, strict=True)]
            # The gap of unit slope: from 0 at first, along psi.
            potential = self.potential(shape, 1.0 / shape[0])
            psi = potential.gap_at(curves.ts - curves.t0, 0.0)
            initial, slope = jax.vmap(_regress, in_axes=(None, 1, 1))(
                psi, curves.ys, curves.weights
            )
            ratio = jnp.clip(slope[1] / jnp.where(slope[0] == 0, 1.0, slope[0]), 0.02, 0.98)
            values = jnp.stack([initial[0], initial[1], ratio, slope[0]])
            linear = [b.unconstrain(v) for b, v in zip(bijectors[:4], values, strict=True)]
            return jnp.concatenate([jnp.stack(linear), shape_coordinates])

        return jax.vmap(start)(jnp.asarray(self.shape_starts()))

    def dynamics(self, values: Sequence[Float[Array, ""]], curves: Curves) -> AbstractDynamics:
        solver, verifier, ratio, slope, *shape = values
        # The initial slope is dU_s/dt = -rate (G - G_inf) / (1 - r).
        gap_limit = solver - verifier + (1 - ratio) * slope / shape[0]
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


class LinearLaw(AbstractRankOneLaw):
    r"""The paper's law: linear potential, rank-one coupling, five parameters.

    $$U_s(t) = U_{s,\infty} + \tfrac{\delta}{1-r} e^{-\kappa (t - t_0)}, \qquad
      U_v(t) = U_{v,\infty} + \tfrac{r \delta}{1-r} e^{-\kappa (t - t_0)}.$$

    Its parameters are `rate` ($\kappa$), `ratio` ($r$), `gap_limit` ($G_\infty$), `solver_initial`
    and `verifier_initial`. The gap's limit may come out negative: holding it above zero would
    bias it, and an interval that reaches zero is what tells whether the theory's $f(0) = 0$ holds.

    **Example:**

    >>> [parameter.name for parameter in LinearLaw().parameters]
    ['rate', 'ratio', 'gap_limit', 'solver_initial', 'verifier_initial']

    Source: Sun et al. (arXiv:2507.00075v4), section 4.
    """

    name: ClassVar[str] = "linear"
    parameters: ClassVar[tuple[Parameter, ...]] = (
        _RATE,
        _RATIO,
        _GAP_LIMIT,
        _SOLVER_INITIAL,
        _VERIFIER_INITIAL,
    )

    def potential(
        self, shape: Sequence[Float[Array, ""]], gap_limit: Float[Array, ""]
    ) -> AbstractClosedFormPotential:
        return LinearPotential(shape[0], gap_limit)

    def shape_bijectors(self, curves: Curves) -> tuple[AbstractBijector, ...]:
        return (_rate_bijector(curves),)

    def shape_starts(self) -> Float[np.ndarray, "starts shape"]:
        return _quasi_random(8, [(np.log(0.1), np.log(30.0))])

    def shape_of(self, potential: AbstractPotential) -> tuple[RealScalar, ...]:
        assert isinstance(potential, LinearPotential)
        return (potential.rate,)


class PowerLaw(AbstractRankOneLaw):
    r"""The law with a power of the gap as potential: rank-one coupling, six parameters.

    $$\frac{dG}{dt} = -\kappa\,\delta \Big(\frac{G - G_\infty}{\delta}\Big)^q, \qquad
      \frac{dU_v}{dU_s} = r.$$

    Its parameters are those of :class:`LinearLaw`, `rate` being the relative rate at first, and
    `exponent` ($q \ge 1$).

    **Example:**

    >>> PowerLaw().parameters[-1].name
    'exponent'

    See :class:`jaxgap.dynamics.PowerPotential`.
    """

    name: ClassVar[str] = "power"
    parameters: ClassVar[tuple[Parameter, ...]] = (*LinearLaw.parameters, _EXPONENT)

    def potential(
        self, shape: Sequence[Float[Array, ""]], gap_limit: Float[Array, ""]
    ) -> AbstractClosedFormPotential:
        return PowerPotential(shape[0], gap_limit, shape[1])

    def shape_bijectors(self, curves: Curves) -> tuple[AbstractBijector, ...]:
        return (_rate_bijector(curves), GreaterThan(1.0))

    def shape_starts(self) -> Float[np.ndarray, "starts shape"]:
        return _quasi_random(16, [(np.log(0.1), np.log(30.0)), (np.log(0.05), np.log(3.0))])

    def shape_of(self, potential: AbstractPotential) -> tuple[RealScalar, ...]:
        assert isinstance(potential, PowerPotential)
        return (potential.rate, potential.exponent)


def _rate_bijector(curves: Curves) -> AbstractBijector:
    return GreaterThan(_MIN_DECAY / curves.duration, 1.0 / curves.duration)


def _regress(
    x: Float[Array, " times"], y: Float[Array, " times"], weights: Float[Array, " times"]
) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """Intercept and slope of the weighted least-squares line; zeros without weights."""
    squared = weights**2
    total = jnp.sum(squared)
    total = jnp.where(total > 0, total, 1.0)
    x_mean, y_mean = jnp.sum(squared * x) / total, jnp.sum(squared * y) / total
    variance = jnp.sum(squared * (x - x_mean) ** 2)
    covariance = jnp.sum(squared * (x - x_mean) * (y - y_mean))
    slope = covariance / jnp.where(variance > 0, variance, 1.0)
    return y_mean - slope * x_mean, slope


def _quasi_random(num: int, box: list[tuple[float, float]]) -> Float[np.ndarray, "num box"]:
    """The first points of Halton's sequence in a box: even, and the same every time."""
    bases = (2, 3, 5, 7)[: len(box)]
    unit = np.array([[_radical_inverse(i, base) for base in bases] for i in range(1, num + 1)])
    low, high = np.array(box).T
    return low + (high - low) * unit


def _radical_inverse(index: int, base: int) -> float:
    """The digits of `index` mirrored at the point: a number in (0, 1)."""
    result, digit = 0.0, 1.0
    while index:
        digit /= base
        index, remainder = divmod(index, base)
        result += digit * remainder
    return result
