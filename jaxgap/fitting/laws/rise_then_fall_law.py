r"""The law of a loop that over-optimises its verifier: capability improves, then worsens.

Given both rates and the loss $h$, solver and verifier follow one curve, each with its own
amplitude, as under the rank-one laws, with the same coordinates. If $h$ is not given, the solver's
curve is linear in gain and loss separately: a first regression finds $h$, a second the rest.

While the fall is still a straight line, the data determine only the product of erosion and loss. So
that product is a coordinate: erosion can then vary without losing the product.
"""

import math
from collections.abc import Sequence
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxgap.dynamics.abstract_dynamics import AbstractDynamics
from jaxgap.dynamics.coupling import RankOneCoupling
from jaxgap.dynamics.rise_then_fall_dynamics import RiseThenFallDynamics, gain_and_loss
from jaxgap.dynamics.types import RealScalar
from jaxgap.fitting.curves import Curves
from jaxgap.fitting.laws.bijectors import AbstractBijector, Between, GreaterThan, Real
from jaxgap.fitting.laws.law import AbstractLaw, Parameter
from jaxgap.fitting.laws.quasi_random import quasi_random
from jaxgap.fitting.laws.rank_one_law import (
    RATE,
    RATIO,
    SOLVER_INITIAL,
    VERIFIER_INITIAL,
    rate_bijector,
    regress_rank_one,
    verifier_bijectors,
)
from jaxgap.fitting.laws.regression import regress

# The scale of the product of erosion (as a fraction of the rate) and loss: at its lower bound the
# loss is negligible even at the least erosion, and its upper bound exceeds any run's fall.
_PRODUCT = math.exp(-6)


class RiseThenFallLaw(AbstractLaw):
    r"""The linear law with a target that erodes: seven parameters, five without a verifier.

    $$\frac{dG}{dt} = -\kappa (G - T), \qquad \frac{dT}{dt} = -\varepsilon (T - G_\infty), \qquad
      G_\infty = T_0 + h (G_0 - T_0), \qquad \frac{dU_v}{dU_s} = r.$$

    Its parameters are `rate` ($\kappa$), `ratio` ($r$), `gap_target` ($T_0$), `solver_initial`,
    `verifier_initial`, `erosion` ($\varepsilon < \kappa$: were it faster, no gain would be seen)
    and `loss` ($h \ge 0$, the fraction of the gain that is lost in the end).

    **Example:**

    >>> [parameter.name for parameter in RiseThenFallLaw().parameters][-2:]
    ['erosion', 'loss']

    See :class:`jaxgap.dynamics.RiseThenFallDynamics`.
    """

    name: ClassVar[str] = "rise_then_fall"
    parameters: ClassVar[tuple[Parameter, ...]] = (
        RATE,
        RATIO,
        Parameter("gap_target", "gap", needs_verifier=True),
        SOLVER_INITIAL,
        VERIFIER_INITIAL,
        Parameter("erosion", "1/time", lower=0.0),
        Parameter("loss", "1", lower=0.0),
    )

    def bijectors(self, curves: Curves) -> tuple[AbstractBijector, ...]:
        value = curves.value_scale
        gain = Real(0.0, value / curves.duration)
        shape = (rate_bijector(curves), Between(0.0, 1.0), GreaterThan(0.0, _PRODUCT))
        return (Real(curves.ys[0, 0], value), *verifier_bijectors(curves), gain, *shape)

    def starts(self, curves: Curves) -> Float[Array, "starts coordinates"]:
        bijectors = self.bijectors(curves)
        elapsed = curves.ts - curves.t0

        def start(point):
            rate, fraction = (b.constrain(c) for b, c in zip(bijectors[4:6], point, strict=True))
            gained, lost = gain_and_loss(rate, fraction * rate, elapsed)
            basis = jnp.stack([jnp.ones_like(gained), gained, lost], axis=1)
            _, gain, drop = regress(basis, curves.ys[:, 0], curves.weights[:, 0])
            loss = jnp.clip(-drop / jnp.where(gain == 0, 1.0, gain), 0.05, 20.0)
            unit = gain_and_loss(rate, fraction * rate, curves.duration)[0] / curves.duration
            rank_one = regress_rank_one((gained - loss * lost) / unit, curves)
            values = (*rank_one, rate, fraction, loss * fraction)
            return jnp.stack([b.unconstrain(v) for b, v in zip(bijectors, values, strict=True)])

        box = [(np.log(1.0), np.log(60.0)), (-4.0, 1.0)]
        return jax.vmap(start)(jnp.asarray(quasi_random(16, box)))

    def dynamics(self, values: Sequence[Float[Array, ""]], curves: Curves) -> AbstractDynamics:
        solver, verifier, ratio, slope, rate, fraction, product = values
        # The slope is the mean slope over the run of the gain alone.
        gained = -jnp.expm1(-rate * curves.duration)
        target = solver - verifier + (1 - ratio) * slope * curves.duration / gained
        erosion, loss = fraction * rate, product / fraction
        parameters = [rate, ratio, target, solver, verifier, erosion, loss]
        return self.from_parameters(parameters, curves)

    def parameter_values(self, dynamics: AbstractDynamics) -> Float[Array, " parameters"]:
        assert isinstance(dynamics, RiseThenFallDynamics)
        assert isinstance(dynamics.coupling, RankOneCoupling)
        values = [
            dynamics.rate,
            dynamics.coupling.ratio,
            dynamics.gap_target,
            dynamics.solver_initial,
            dynamics.verifier_initial,
            dynamics.erosion,
            dynamics.loss,
        ]
        return jnp.stack([jnp.asarray(value) for value in values])

    def from_parameters(
        self, values: Sequence[RealScalar] | Float[Array, " parameters"], curves: Curves
    ) -> AbstractDynamics:
        rate, ratio, target, solver, verifier, erosion, loss = (jnp.asarray(v) for v in values)
        return RiseThenFallDynamics(
            coupling=RankOneCoupling(ratio),
            rate=rate,
            erosion=erosion,
            gap_target=target,
            loss=loss,
            solver_initial=solver,
            verifier_initial=verifier,
            t0=curves.t0,
        )
