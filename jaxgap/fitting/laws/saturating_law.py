"""The law of a loop whose learning speed is limited, however wide the gap."""

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from jaxtyping import Array, Float

from jaxgap.dynamics.potential import AbstractPotential
from jaxgap.dynamics.saturating_potential import SaturatingPotential
from jaxgap.dynamics.types import RealScalar
from jaxgap.fitting.curves import Curves
from jaxgap.fitting.laws.bijectors import AbstractBijector, GreaterThan
from jaxgap.fitting.laws.law import Parameter
from jaxgap.fitting.laws.linear_law import LinearLaw
from jaxgap.fitting.laws.quasi_random import quasi_random
from jaxgap.fitting.laws.rank_one_law import AbstractClosedFormRankOneLaw, rate_bijector


class SaturatingLaw(AbstractClosedFormRankOneLaw):
    r"""The law whose speed levels off at a wide gap: rank-one coupling, six parameters.

    $$\frac{dG}{dt} = -\kappa \frac{(1 + s)(G - G_\infty)}{1 + s\,|G - G_\infty| / |\delta|}, \qquad
      \frac{dU_v}{dU_s} = r.$$

    Its parameters are those of :class:`LinearLaw`, with `rate` the initial relative rate, and
    `saturation` ($s \ge 0$). It describes runs that start as a straight line before they bend.

    **Example:**

    >>> SaturatingLaw().parameters[-1].name
    'saturation'

    See :class:`jaxgap.dynamics.SaturatingPotential`.
    """

    name: ClassVar[str] = "saturating"
    parameters: ClassVar[tuple[Parameter, ...]] = (
        *LinearLaw.parameters,
        Parameter("saturation", "1", lower=0.0),
    )

    def potential(
        self, shape: Sequence[Float[Array, ""]], gap_limit: RealScalar
    ) -> SaturatingPotential:
        return SaturatingPotential(shape[0], gap_limit, shape[1])

    def shape_bijectors(self, curves: Curves) -> tuple[AbstractBijector, ...]:
        return (rate_bijector(curves), GreaterThan(0.0))

    def shape_starts(self) -> Float[np.ndarray, "starts shape"]:
        return quasi_random(16, [(np.log(0.1), np.log(10.0)), (np.log(0.1), np.log(30.0))])

    def shape_of(self, potential: AbstractPotential) -> tuple[RealScalar, ...]:
        assert isinstance(potential, SaturatingPotential)
        return (potential.rate, potential.saturation)
