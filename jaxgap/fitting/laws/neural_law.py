r"""A law whose potential is learned: a universal differential equation with few weights.

There is no closed form, so it is fitted with :class:`jaxgap.fitting.OdeCurves`. The coordinates are
those of the other rank-one laws. One of them is the mean slope over the run only approximately (the
closed part is that of an exponential), which affects where the search starts and nothing else.
"""

from collections.abc import Sequence
from typing import ClassVar

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxgap.dynamics.neural_potential import NeuralPotential
from jaxgap.dynamics.potential import AbstractPotential
from jaxgap.dynamics.types import RealScalar
from jaxgap.fitting.curves import Curves
from jaxgap.fitting.laws.bijectors import AbstractBijector, Between
from jaxgap.fitting.laws.law import Parameter
from jaxgap.fitting.laws.linear_law import LinearLaw
from jaxgap.fitting.laws.quasi_random import quasi_random
from jaxgap.fitting.laws.rank_one_law import AbstractRankOneLaw, rate_bijector

# A steeper unit is in effect a step, which twenty measurements cannot identify.
_MAX_STEEPNESS = 12.0


class NeuralLaw(AbstractRankOneLaw):
    r"""A monotone network of two units as potential: rank-one coupling, ten parameters.

    $$\frac{dG}{dt} = -\kappa\,\delta\,m\Big(\frac{G - G_\infty}{\delta}\Big), \qquad
      \frac{dU_v}{dU_s} = r, \qquad m \text{ increasing},\ m(0) = 0,\ m(1) = 1.$$

    Its parameters are those of :class:`LinearLaw`, with `rate` the initial relative rate, and the
    network's: `low_centre` and `low_steepness` of a unit for small gaps, `high_centre` and
    `high_steepness` of one for wide gaps, and `high_weight`. It is for exploring the shape of $f$,
    given curves of both capabilities and little noise; its limit is only as good as the assumption,
    built into the units, that the speed is proportional to the gap once that is small.

    **Example:**

    >>> len(NeuralLaw().parameters)
    10

    See :class:`jaxgap.dynamics.NeuralPotential`.
    """

    name: ClassVar[str] = "neural"
    parameters: ClassVar[tuple[Parameter, ...]] = (
        *LinearLaw.parameters,
        Parameter("low_centre", "1", lower=-0.5, upper=0.5),
        Parameter("low_steepness", "1", lower=0.0, upper=_MAX_STEEPNESS),
        Parameter("high_centre", "1", lower=0.5, upper=1.5),
        Parameter("high_steepness", "1", lower=0.0, upper=_MAX_STEEPNESS),
        Parameter("high_weight", "1", lower=0.0, upper=1.0),
    )

    def potential(
        self, shape: Sequence[Float[Array, ""]], gap_limit: Float[Array, ""]
    ) -> AbstractPotential:
        rate, low_centre, low_steepness, high_centre, high_steepness, high_weight = shape
        return NeuralPotential(
            rate=rate,
            gap_limit=gap_limit,
            weights=jnp.stack([1 - high_weight, high_weight]),
            steepness=jnp.stack([low_steepness, high_steepness]),
            centres=jnp.stack([low_centre, high_centre]),
        )

    def part_closed(
        self, shape: Sequence[Float[Array, ""]], elapsed: Float[Array, "..."]
    ) -> Float[Array, "..."]:
        return -jnp.expm1(-shape[0] * elapsed)

    def shape_bijectors(self, curves: Curves) -> tuple[AbstractBijector, ...]:
        steepness = Between(0.0, _MAX_STEEPNESS)
        return (
            rate_bijector(curves),
            Between(-0.5, 0.5),
            steepness,
            Between(0.5, 1.5),
            steepness,
            Between(0.0, 1.0),
        )

    def shape_starts(self) -> Float[np.ndarray, "starts shape"]:
        moderate = [(-1.0, 1.0), (-2.5, -0.5), (-1.0, 1.0), (-2.5, -0.5)]
        points = quasi_random(8, [(np.log(0.5), np.log(8.0)), *moderate])
        # Equal initial weights for both units.
        return np.concatenate([points, np.zeros((len(points), 1))], axis=1)

    def shape_of(self, potential: AbstractPotential) -> tuple[RealScalar, ...]:
        assert isinstance(potential, NeuralPotential)
        low, high = range(2)
        centres, steepness = potential.centres, potential.steepness
        return (
            potential.rate,
            centres[low],
            steepness[low],
            centres[high],
            steepness[high],
            potential.weights[high],
        )
