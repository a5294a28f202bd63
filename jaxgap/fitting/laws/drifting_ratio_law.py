r"""The law whose ratio $dU_v/dU_s$ drifts along the run.

It is fitted in the coordinates of the rank-one laws, with two ratios in place of one: at the
initial gap and at the gap's limit. Given these and the rate the solver's curve is still
$U_s(t_0) + v\,\psi(t)$, so a start is a rank-one regression whose ratio is split in two by a
plausible drift.
"""

from collections.abc import Sequence
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxgap.dynamics.abstract_dynamics import AbstractDynamics
from jaxgap.dynamics.drifting_ratio import DriftingRatioCoupling
from jaxgap.dynamics.gap_dynamics import GapDynamics
from jaxgap.dynamics.linear_potential import LinearPotential
from jaxgap.dynamics.types import RealScalar
from jaxgap.fitting.curves import Curves
from jaxgap.fitting.laws.bijectors import AbstractBijector, Real
from jaxgap.fitting.laws.law import AbstractLaw, Parameter
from jaxgap.fitting.laws.quasi_random import quasi_random
from jaxgap.fitting.laws.rank_one_law import (
    GAP_LIMIT,
    MAX_RATIO,
    RATE,
    SOLVER_INITIAL,
    START_RATIOS,
    VERIFIER_INITIAL,
    rate_bijector,
    regress_rank_one,
    verifier_bijectors,
)


class DriftingRatioLaw(AbstractLaw):
    r"""Linear potential and a ratio that is linear in the gap: six parameters.

    $$\frac{dG}{dt} = -\kappa (G - G_\infty), \qquad
      \frac{dU_v}{dU_s} = r_\infty + (r_0 - r_\infty) \frac{G - G_\infty}{G_0 - G_\infty}.$$

    Its parameters are `rate`, `ratio_initial` ($r_0$), `ratio_limit` ($r_\infty$), `gap_limit`,
    `solver_initial` and `verifier_initial`. With equal ratios, or without a verifier, it is the
    paper's law.

    **Example:**

    >>> [parameter.name for parameter in DriftingRatioLaw().parameters][:3]
    ['rate', 'ratio_initial', 'ratio_limit']

    See :class:`jaxgap.dynamics.DriftingRatioCoupling`.
    """

    name: ClassVar[str] = "drifting_ratio"
    parameters: ClassVar[tuple[Parameter, ...]] = (
        RATE,
        Parameter("ratio_initial", "1", lower=0.0, upper=MAX_RATIO, needs_verifier=True),
        Parameter("ratio_limit", "1", lower=0.0, upper=MAX_RATIO, needs_verifier=True),
        GAP_LIMIT,
        SOLVER_INITIAL,
        VERIFIER_INITIAL,
    )

    def bijectors(self, curves: Curves) -> tuple[AbstractBijector, ...]:
        value = curves.value_scale
        verifier, ratio = verifier_bijectors(curves)
        slope = Real(0.0, value / curves.duration)
        solver = Real(curves.ys[0, 0], value)
        return (solver, verifier, ratio, ratio, slope, rate_bijector(curves))

    def starts(self, curves: Curves) -> Float[Array, "starts coordinates"]:
        bijectors = self.bijectors(curves)

        def start(point):
            rate = bijectors[-1].constrain(point[0])
            elapsed = curves.ts - curves.t0
            part = jnp.expm1(-rate * elapsed) / jnp.expm1(-rate * curves.duration)
            solver, verifier, ratio, slope = regress_rank_one(part * curves.duration, curves)
            first, last = (
                jnp.clip(ratio + drift, *START_RATIOS) for drift in (-point[1], point[1])
            )
            values = (solver, verifier, first, last, slope)
            linear = [b.unconstrain(v) for b, v in zip(bijectors[:5], values, strict=True)]
            return jnp.stack([*linear, point[0]])

        box = [(np.log(0.1), np.log(30.0)), (-0.3, 0.3)]
        return jax.vmap(start)(jnp.asarray(quasi_random(12, box)))

    def dynamics(self, values: Sequence[Float[Array, ""]], curves: Curves) -> AbstractDynamics:
        solver, verifier, first, last, slope, rate = values
        # The solver's change over the run, for an initial excess of one.
        closed = -jnp.expm1(-rate * curves.duration)
        path = DriftingRatioCoupling(last, first - last)
        reach = curves.duration / -path.solver_change(1 - closed, 1.0)
        gap_limit = solver - verifier + slope * reach
        return self.from_parameters([rate, first, last, gap_limit, solver, verifier], curves)

    def parameter_values(self, dynamics: AbstractDynamics) -> Float[Array, " parameters"]:
        assert isinstance(dynamics, GapDynamics)
        potential, coupling = dynamics.potential, dynamics.coupling
        assert isinstance(potential, LinearPotential)
        assert isinstance(coupling, DriftingRatioCoupling)
        values = [
            potential.rate,
            coupling.ratio(dynamics.gap_initial),
            coupling.ratio(potential.gap_limit),
            potential.gap_limit,
            dynamics.solver_initial,
            dynamics.verifier_initial,
        ]
        return jnp.stack([jnp.asarray(value) for value in values])

    def from_parameters(
        self, values: Sequence[RealScalar] | Float[Array, " parameters"], curves: Curves
    ) -> AbstractDynamics:
        rate, first, last, gap_limit, solver, verifier = (jnp.asarray(v) for v in values)
        excess = solver - verifier - gap_limit
        slope = jnp.where(excess == 0, 0.0, (first - last) / jnp.where(excess == 0, 1.0, excess))
        return GapDynamics(
            potential=LinearPotential(rate, gap_limit),
            coupling=DriftingRatioCoupling(last - slope * gap_limit, slope),
            solver_initial=solver,
            verifier_initial=verifier,
            t0=curves.t0,
        )
