"""The paper's law: a linear potential, and a verifier that moves in proportion to the solver."""

from collections.abc import Sequence
from typing import ClassVar

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxgap.dynamics.linear_potential import LinearPotential
from jaxgap.dynamics.potential import AbstractPotential
from jaxgap.dynamics.types import RealScalar
from jaxgap.fitting.curves import Curves
from jaxgap.fitting.laws.bijectors import AbstractBijector
from jaxgap.fitting.laws.law import Parameter
from jaxgap.fitting.laws.quasi_random import quasi_random
from jaxgap.fitting.laws.rank_one_law import (
    GAP_LIMIT,
    RATE,
    RATIO,
    SOLVER_INITIAL,
    VERIFIER_INITIAL,
    AbstractRankOneLaw,
    rate_bijector,
)


class LinearLaw(AbstractRankOneLaw):
    r"""The paper's law: linear potential, rank-one coupling, five parameters.

    $$U_s(t) = U_{s,\infty} + \tfrac{\delta}{1-r} e^{-\kappa (t - t_0)}, \qquad
      U_v(t) = U_{v,\infty} + \tfrac{r \delta}{1-r} e^{-\kappa (t - t_0)}.$$

    Its parameters are `rate` ($\kappa$), `ratio` ($r$), `gap_limit` ($G_\infty$), `solver_initial`
    and `verifier_initial`. The gap's limit may come out negative: a bound at zero would bias it,
    and whether its interval includes zero is the test of the theory's $f(0) = 0$.

    **Example:**

    >>> [parameter.name for parameter in LinearLaw().parameters]
    ['rate', 'ratio', 'gap_limit', 'solver_initial', 'verifier_initial']

    Source: Sun et al. (arXiv:2507.00075v4), section 4.
    """

    name: ClassVar[str] = "linear"
    parameters: ClassVar[tuple[Parameter, ...]] = (
        RATE,
        RATIO,
        GAP_LIMIT,
        SOLVER_INITIAL,
        VERIFIER_INITIAL,
    )

    def potential(
        self, shape: Sequence[Float[Array, ""]], gap_limit: Float[Array, ""]
    ) -> AbstractPotential:
        return LinearPotential(shape[0], gap_limit)

    def part_closed(
        self, shape: Sequence[Float[Array, ""]], elapsed: Float[Array, "..."]
    ) -> Float[Array, "..."]:
        return -jnp.expm1(-shape[0] * elapsed)

    def shape_bijectors(self, curves: Curves) -> tuple[AbstractBijector, ...]:
        return (rate_bijector(curves),)

    def shape_starts(self) -> Float[np.ndarray, "starts shape"]:
        return quasi_random(8, [(np.log(0.1), np.log(30.0))])

    def shape_of(self, potential: AbstractPotential) -> tuple[RealScalar, ...]:
        assert isinstance(potential, LinearPotential)
        return (potential.rate,)
