"""The law whose gap closes at a speed that is a power of it, more and more slowly."""

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from jaxtyping import Array, Float

from jaxgap.dynamics.potential import AbstractPotential
from jaxgap.dynamics.power_potential import PowerPotential
from jaxgap.dynamics.types import RealScalar
from jaxgap.fitting.curves import Curves
from jaxgap.fitting.laws.bijectors import AbstractBijector, GreaterThan
from jaxgap.fitting.laws.law import Parameter
from jaxgap.fitting.laws.linear_law import LinearLaw
from jaxgap.fitting.laws.quasi_random import quasi_random
from jaxgap.fitting.laws.rank_one_law import AbstractClosedFormRankOneLaw, rate_bijector

_EXPONENT = Parameter("exponent", "1", lower=1.0)


class PowerLaw(AbstractClosedFormRankOneLaw):
    r"""The law with a power of the gap as potential: rank-one coupling, six parameters.

    $$\frac{dG}{dt} = -\kappa\,\delta \Big(\frac{G - G_\infty}{\delta}\Big)^q, \qquad
      \frac{dU_v}{dU_s} = r.$$

    Its parameters are those of :class:`LinearLaw`, with `rate` the initial relative rate, and
    `exponent` ($q \ge 1$).

    **Example:**

    >>> PowerLaw().parameters[-1].name
    'exponent'

    See :class:`jaxgap.dynamics.PowerPotential`.
    """

    name: ClassVar[str] = "power"
    parameters: ClassVar[tuple[Parameter, ...]] = (*LinearLaw.parameters, _EXPONENT)

    def potential(self, shape: Sequence[Float[Array, ""]], gap_limit: RealScalar) -> PowerPotential:
        return PowerPotential(shape[0], gap_limit, shape[1])

    def shape_bijectors(self, curves: Curves) -> tuple[AbstractBijector, ...]:
        return (rate_bijector(curves), GreaterThan(1.0))

    def shape_starts(self) -> Float[np.ndarray, "starts shape"]:
        return quasi_random(16, [(np.log(0.1), np.log(30.0)), (np.log(0.05), np.log(3.0))])

    def shape_of(self, potential: AbstractPotential) -> tuple[RealScalar, ...]:
        assert isinstance(potential, PowerPotential)
        return (potential.rate, potential.exponent)
