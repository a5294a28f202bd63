r"""Binomial noise: accuracies over a known number of items.

With $k = n y$ wrong answers where the law says $p$, the signed root of the deviance

$$d = 2 n \Big(y \log\frac{y}{p} + (1 - y) \log\frac{1 - y}{1 - p}\Big)$$

is the residual, so that least squares is maximum likelihood. Its variance is one: nothing is
estimated. At $y = 0$ and $y = 1$ the deviance has no turning point but decreases up to the bound,
where a signed root would be vertical: there the residual is $\sqrt{d + 1}$, which has the same
likelihood, is smooth, and extends across the bound. A law may leave $[0, 1]$, though a probability
cannot: for other $y$ the deviance is that of the curve clipped to just inside, and a steep residual
pulls the curve back.
"""

from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Key

from jaxgap.errors import InputError
from jaxgap.fitting.curves import Curves
from jaxgap.fitting.noise.abstract_noise import AbstractNoise, Rows, measured, normal_quantile
from jaxgap.trajectory import Trajectory

# The curve is clipped to this fraction of one item from 0 and 1.
_INSIDE = 1e-6
# Where no answer is wrong, or all are, it may go beyond 0 or 1 by this fraction of an item.
_OUTSIDE = 0.25
# A hundredth of an item outside [0, 1] costs as much as one standard deviation.
_WALL = 100.0


class Binomial(AbstractNoise):
    """Binomial noise, for accuracies over a known number of items."""

    name: ClassVar[str] = "binomial"

    def standard_errors(self, trajectory: Trajectory) -> tuple[Rows | None, list[str]]:
        if trajectory.kind != "accuracy" or trajectory.num_items is None:
            raise InputError(
                "binomial noise needs accuracies over a known number of items (num_items)"
            )
        series = [trajectory.solver, trajectory.verifier]
        columns = [
            count_errors(accuracies, trajectory.num_items)
            for accuracies in series
            if accuracies is not None
        ]
        return np.stack(columns, -1), []

    def num_scales(self, curves: Curves) -> int:
        return 0

    def num_estimated(self, curves: Curves) -> int:
        return 0

    def residuals(
        self, predicted: Float[Array, "times 2"], curves: Curves, scales: Float[Array, " scales"]
    ) -> Float[Array, " m"]:
        n, y = curves.num_items, curves.ys
        p = _inside(predicted, n)
        none, all_ = y <= 0, y >= 1
        share = jnp.where(none | all_, 0.5, y)
        # log1p in both, because the two terms nearly cancel where the curve is close to the data.
        right = share * jnp.log1p((p - share) / share)
        wrong = (1 - share) * jnp.log1p((share - p) / (1 - share))
        deviance = -2 * n * (right + wrong)
        # Where the curve meets the data the formula is singular; its limit is a straight line.
        near = jnp.abs(p - share) < 1e-7 * p * (1 - p)
        root = jnp.sign(p - share) * jnp.sqrt(jnp.where(near, 1.0, jnp.maximum(deviance, 1e-300)))
        root = jnp.where(near, (p - share) * jnp.sqrt(n / (p * (1 - p))), root)
        # Smooth across 0 and 1: a saturated curve lies there, between the data's pull and the wall.
        low = jnp.clip(predicted, -_OUTSIDE / n, 1 - _INSIDE / n)
        high = jnp.clip(predicted, _INSIDE / n, 1 + _OUTSIDE / n)
        root = jnp.where(none, jnp.sqrt(1 - 2 * n * jnp.log1p(-low)), root)
        root = jnp.where(all_, jnp.sqrt(1 - 2 * n * jnp.log(high)), root)
        wall = _WALL * n * (predicted - jnp.clip(predicted, 0.0, 1.0))
        return (jnp.stack([root, wall]) * measured(curves)).ravel()

    def variance(
        self, cost: Float[Array, ""], num_measurements: Int[Array, ""], num_free: Int[Array, ""]
    ) -> Float[Array, ""]:
        return jnp.ones_like(cost)

    def quantile(self, level: float, num_measurements: int, num_free: int) -> float | None:
        return normal_quantile(level)

    def log_likelihoods(
        self,
        predicted: Float[Array, "times 2"],
        curves: Curves,
        scales: Float[Array, " scales"],
        cost: Float[Array, ""],
    ) -> Float[Array, "times 2"]:
        counts = jnp.round(curves.num_items * curves.ys)
        p = _inside(predicted, curves.num_items)
        density = jax.scipy.stats.binom.logpmf(counts, curves.num_items, p)
        return jnp.where(measured(curves) > 0, density, 0.0)

    def draw(
        self,
        key: Key[Array, ""],
        predicted: Float[Array, "times 2"],
        curves: Curves,
        scales: Float[Array, " scales"],
        variance: Float[Array, ""],
    ) -> Float[Array, "times 2"]:
        n = curves.num_items
        return jax.random.binomial(key, n, jnp.clip(predicted, 0.0, 1.0), predicted.shape) / n


def _inside(predicted: Float[Array, "times 2"], n: Float[Array, ""]) -> Float[Array, "times 2"]:
    """The probabilities, kept off 0 and 1 by a fraction of one item."""
    return jnp.clip(predicted, _INSIDE / n, 1 - _INSIDE / n)


def count_errors(accuracies: Float[np.ndarray, "..."], num_items: int) -> np.ndarray:
    """The standard errors of fractions of `num_items`, kept above zero by Laplace's rule."""
    p = (accuracies * num_items + 1) / (num_items + 2)
    return np.sqrt(p * (1 - p) / num_items)
