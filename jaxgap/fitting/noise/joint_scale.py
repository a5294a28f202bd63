r"""Gaussian noise whose scales are coordinates of the fit: one for each series, or one for both.

With $\sigma_s = w e^{u_s}$, $w$ being the range of the data, $-2 \log L$ is up to a constant

$$\sum_s \sum_{i \in s} e^{-2 u_s} \Big(\frac{U_i - \hat U_i}{w}\Big)^2 + 2 n_s u_s.$$

The last term is also a square, that of $\sqrt{2 n_s (u_s + c)}$, with $c$ large enough for the root
to exist. The Gauss-Newton approximation would miss half of the curvature in $u_s$, and the solver
would take steps twice too long; two more residuals, $\sqrt{n_s} \cos u_s$ and $\sqrt{n_s} \sin
u_s$, restore it while adding only a constant to the sum of squares.

Intervals: for one common scale, the likelihood ratio at Student's t with $\nu$ degrees of freedom
is $N \log(1 + t^2 / \nu)$, so that is where a profile ends. Hence a rise of $N / \nu$ counts as one
squared standard deviation. The square of a prior is multiplied by that, since its own standard
deviation is known: only the likelihood is corrected for the degrees of freedom.
"""

import math
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Key

from jaxgap.dynamics.types import RealScalar
from jaxgap.fitting.curves import Curves
from jaxgap.fitting.noise.abstract_noise import AbstractNoise, Rows, measured, t_quantile
from jaxgap.trajectory import Trajectory

# Logarithm of the scale's limits: about a billionth and a billion times the range of the data.
_FURTHEST = 20.0
_OFFSET = 22.0


class AbstractUnknownScale(AbstractNoise):
    """Noise whose coordinates are the logarithms of its scales."""

    def standard_errors(self, trajectory: Trajectory) -> tuple[Rows | None, list[str]]:
        return None, []

    def num_estimated(self, curves: Curves) -> int:
        return self.num_scales(curves)

    def variance(
        self, cost: Float[Array, ""], num_measurements: Int[Array, ""], num_free: Int[Array, ""]
    ) -> Float[Array, ""]:
        """N over the degrees of freedom: the bias correction of a maximum-likelihood variance."""
        dof = jnp.maximum(num_measurements - num_free, 1)
        return jnp.ones_like(cost) * num_measurements / dof

    def quantile(self, level: float, num_measurements: int, num_free: int) -> float | None:
        """The t quantile as a root of the likelihood ratio, which is scaled by dof / N."""
        dof = num_measurements - num_free
        quantile = t_quantile(level, dof)
        return None if quantile is None else math.sqrt(dof * math.log1p(quantile**2 / dof))


class AbstractJointScale(AbstractUnknownScale):
    """Gaussian noise with unknown scales."""

    def residuals(
        self, predicted: Float[Array, "times 2"], curves: Curves, scales: Float[Array, " scales"]
    ) -> Float[Array, " m"]:
        deviations = by_series(curves, scales)
        weighted = (predicted - curves.ys) * measured(curves) / deviations
        return jnp.concatenate([weighted.ravel(), scale_rows(curves, scales, 1.0)])

    def log_likelihoods(
        self,
        predicted: Float[Array, "times 2"],
        curves: Curves,
        scales: Float[Array, " scales"],
        cost: Float[Array, ""],
    ) -> Float[Array, "times 2"]:
        density = jax.scipy.stats.norm.logpdf(curves.ys, predicted, by_series(curves, scales))
        return jnp.where(measured(curves) > 0, density, 0.0)

    def draw(
        self,
        key: Key[Array, ""],
        predicted: Float[Array, "times 2"],
        curves: Curves,
        scales: Float[Array, " scales"],
        variance: Float[Array, ""],
    ) -> Float[Array, "times 2"]:
        deviations = jnp.sqrt(variance) * by_series(curves, scales)
        return predicted + deviations * jax.random.normal(key, predicted.shape, predicted.dtype)


class ScalePerSeries(AbstractJointScale):
    """Gaussian noise with a separate unknown scale for each series."""

    name: ClassVar[str] = "scale per series"

    def num_scales(self, curves: Curves) -> int:
        return 2 if curves.has_verifier else 1


class JointScale(AbstractJointScale):
    """Gaussian noise with one unknown scale, as a coordinate.

    Without priors it gives the same fit as :class:`EstimatedScale`. But it can be combined with
    them: their squares are in units of the likelihood, not of the noise.
    """

    name: ClassVar[str] = "estimated scale"

    def num_scales(self, curves: Curves) -> int:
        return 1


def by_series(curves: Curves, scales: Float[Array, " scales"]) -> Float[Array, "2"]:
    """The scales of the solver's and the verifier's noise, in the data's unit."""
    return curves.value_scale * jnp.exp(jnp.broadcast_to(clipped(scales), (2,)))


def clipped(scales: Float[Array, " scales"]) -> Float[Array, " scales"]:
    """The logarithms of the scales, within their limits."""
    return jnp.clip(scales, -_FURTHEST, _FURTHEST)


def on_floor(scales: Float[np.ndarray, " scales"]) -> bool:
    """Whether any scale is at its floor, where its likelihood is unbounded."""
    return bool((scales <= -_FURTHEST).any())


def scale_rows(
    curves: Curves, scales: Float[Array, " scales"], missing: RealScalar
) -> Float[Array, " rows"]:
    """Residuals with squares 2 n u up to a constant; `missing` scales the restored curvature."""
    counts = jnp.sum(measured(curves), axis=0)
    counts = counts if len(scales) == 2 else jnp.sum(counts, keepdims=True)
    logs = clipped(scales)
    circle = jnp.sqrt(missing * counts)
    rows = [
        jnp.sqrt(2 * counts * (logs + _OFFSET)),
        circle * jnp.cos(logs),
        circle * jnp.sin(logs),
    ]
    return jnp.concatenate(rows)
