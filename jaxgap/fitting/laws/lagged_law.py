"""The law of a loop that has to make better data before it learns from them."""

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from jaxtyping import Array, Float

from jaxgap.dynamics.lagged_potential import LaggedPotential
from jaxgap.dynamics.potential import AbstractPotential
from jaxgap.dynamics.types import RealScalar
from jaxgap.fitting.curves import Curves
from jaxgap.fitting.laws.bijectors import AbstractBijector, Between
from jaxgap.fitting.laws.law import Parameter
from jaxgap.fitting.laws.linear_law import LinearLaw
from jaxgap.fitting.laws.quasi_random import quasi_random
from jaxgap.fitting.laws.rank_one_law import AbstractClosedFormRankOneLaw, rate_bijector


class LaggedLaw(AbstractClosedFormRankOneLaw):
    r"""The law with a slow start, a sigmoid in time: rank-one coupling, six parameters.

    $$\frac{dG}{dt} = -\kappa (G - G_\infty) \Big(1 - \lambda \frac{G - G_\infty}{\delta}\Big),
      \qquad \frac{dU_v}{dU_s} = r.$$

    Its parameters are those of :class:`LinearLaw`, with `rate` the final relative rate, and
    `feedback` ($\lambda$ in [0, 1)).

    **Example:**

    >>> LaggedLaw().parameters[-1].name
    'feedback'

    See :class:`jaxgap.dynamics.LaggedPotential`.
    """

    name: ClassVar[str] = "lagged"
    parameters: ClassVar[tuple[Parameter, ...]] = (
        *LinearLaw.parameters,
        Parameter("feedback", "1", lower=0.0, upper=1.0),
    )

    def potential(
        self, shape: Sequence[Float[Array, ""]], gap_limit: RealScalar
    ) -> LaggedPotential:
        return LaggedPotential(shape[0], gap_limit, shape[1])

    def shape_bijectors(self, curves: Curves) -> tuple[AbstractBijector, ...]:
        return (rate_bijector(curves), Between(0.0, 1.0))

    def shape_starts(self) -> Float[np.ndarray, "starts shape"]:
        return quasi_random(16, [(np.log(0.3), np.log(40.0)), (-2.0, 6.0)])

    def shape_of(self, potential: AbstractPotential) -> tuple[RealScalar, ...]:
        assert isinstance(potential, LaggedPotential)
        return (potential.rate, potential.feedback)
