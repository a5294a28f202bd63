r"""Student-t noise: heavy tails, so that a few outliers hardly move a fit.

Up to a constant

$$-2 \log L = \sum_i (\nu + 1) \log\Big(1 + \frac{e_i^2}{\nu \sigma^2}\Big) + 2 n \log \sigma,$$

and each term is the square of a signed root, smooth through $e_i = 0$. So the fit is exact maximum
likelihood, without reweighting. The scale $\sigma$ is a coordinate, as in
:mod:`jaxgap.fitting.noise.joint_scale`.

Source: Lange, Little and Taylor (1989), "Robust statistical modeling using the t distribution",
JASA 84, 881.
"""

import math
from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from jaxgap.dynamics.types import RealScalar, as_data
from jaxgap.errors import InputError
from jaxgap.fitting.curves import Curves
from jaxgap.fitting.noise.abstract_noise import measured
from jaxgap.fitting.noise.joint_scale import AbstractUnknownScale, by_series, scale_rows


class StudentT(AbstractUnknownScale):
    """Student-t noise with one unknown scale.

    **Arguments:**

    - `dof`: degrees of freedom > 0 of the tails; 4 by default. One is the Cauchy distribution, and
        above about 30 there is no practical difference from Gaussian noise.

    **Raises:**

    `InputError` (a `ValueError`) if `dof` is not above zero and finite.

    **Example:**

    >>> float(StudentT().dof)
    4.0
    """

    name: ClassVar[str] = "student t"
    dof: RealScalar = eqx.field(converter=as_data, default=4.0)

    def __check_init__(self):
        if not 0 < self.dof < math.inf:
            raise InputError(f"dof must be above zero and finite, got {self.dof}")

    def num_scales(self, curves: Curves) -> int:
        return 1

    def residuals(
        self, predicted: Float[Array, "times 2"], curves: Curves, scales: Float[Array, " scales"]
    ) -> Float[Array, " m"]:
        ratio = (predicted - curves.ys) * measured(curves) / by_series(curves, scales)
        # sqrt(log(1 + x^2)) / x is smooth and 1 at zero, where the formula is 0 / 0.
        squared = ratio**2 / self.dof
        small = squared < 1e-12
        safe = jnp.where(small, 1.0, squared)
        slope = jnp.where(small, 1.0, jnp.sqrt(jnp.log1p(safe) / safe))
        roots = jnp.sqrt((self.dof + 1) / self.dof) * ratio * slope
        missing = self.dof / (self.dof + 3)
        return jnp.concatenate([roots.ravel(), scale_rows(curves, scales, missing)])

    def log_likelihoods(
        self,
        predicted: Float[Array, "times 2"],
        curves: Curves,
        scales: Float[Array, " scales"],
        cost: Float[Array, ""],
    ) -> Float[Array, "times 2"]:
        scale = by_series(curves, scales)
        density = jax.scipy.stats.t.logpdf(curves.ys, self.dof, predicted, scale)
        return jnp.where(measured(curves) > 0, density, 0.0)

    def draw(
        self,
        key: Key[Array, ""],
        predicted: Float[Array, "times 2"],
        curves: Curves,
        scales: Float[Array, " scales"],
        variance: Float[Array, ""],
    ) -> Float[Array, "times 2"]:
        noise = jax.random.t(key, self.dof, predicted.shape, predicted.dtype)
        return predicted + jnp.sqrt(variance) * by_series(curves, scales) * noise
