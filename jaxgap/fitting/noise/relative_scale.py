r"""Noise in proportion to the curve: log-normal, with one unknown relative scale.

Where $\hat U_i$ is the curve,

$$\log U_i = \log \hat U_i + \sigma \xi_i, \qquad \xi_i \sim N(0, 1),$$

so the curve is the median of what is measured, and the standard error is about $\sigma \hat U_i$.
The scale $\sigma$ is a coordinate, as in :mod:`jaxgap.fitting.noise.joint_scale`. A law may leave
the positive numbers during a search: below a thousandth of the measurement the logarithm is
continued by its tangent.
"""

from typing import ClassVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from jaxgap.errors import InputError
from jaxgap.fitting.curves import Curves
from jaxgap.fitting.noise.abstract_noise import Rows, measured
from jaxgap.fitting.noise.joint_scale import AbstractUnknownScale, clipped, scale_rows
from jaxgap.trajectory import Trajectory

# The logarithm of a smaller fraction of a measurement is continued by its tangent.
_STRAIGHT_BELOW = 1e-3


class RelativeScale(AbstractUnknownScale):
    """Noise in proportion to the curve, with one unknown scale for both series.

    For uncertainties above zero whose standard errors were not recorded and shrink with the level.

    **Example:**

    >>> import numpy as np
    >>> from jaxgap.fitting import LinearLaw, fit
    >>> t = np.arange(12.0)
    >>> curve, rng = 1 + 3 * np.exp(-0.4 * t), np.random.default_rng(0)
    >>> run = Trajectory(t, curve * (1 + 0.03 * rng.standard_normal(12)))
    >>> result = fit(LinearLaw(), run, noise=RelativeScale())
    >>> low, high = result.limits["solver"].interval
    >>> low < 1 < high
    True
    """

    name: ClassVar[str] = "relative scale"

    def standard_errors(self, trajectory: Trajectory) -> tuple[Rows | None, list[str]]:
        if trajectory.kind != "uncertainty":
            raise InputError("relative noise is for uncertainties, and these are accuracies")
        for name in ("solver", "verifier"):
            values = getattr(trajectory, name)
            if values is not None and values.min() <= 0:
                least = int(values.argmin())
                raise InputError(
                    f"relative noise needs uncertainties above zero, and the {name}'s is "
                    f"{values[least]:g} at t={trajectory.ts[least]:g}"
                )
        return None, []

    def num_scales(self, curves: Curves) -> int:
        return 1

    def residuals(
        self, predicted: Float[Array, "times 2"], curves: Curves, scales: Float[Array, " scales"]
    ) -> Float[Array, " m"]:
        relative = _log_ratio(predicted, curves) * measured(curves) / jnp.exp(clipped(scales))
        return jnp.concatenate([relative.ravel(), scale_rows(curves, scales, 1.0)])

    def log_likelihoods(
        self,
        predicted: Float[Array, "times 2"],
        curves: Curves,
        scales: Float[Array, " scales"],
        cost: Float[Array, ""],
    ) -> Float[Array, "times 2"]:
        density = jax.scipy.stats.norm.logpdf(
            _log_ratio(predicted, curves), 0.0, jnp.exp(clipped(scales))
        )
        return jnp.where(measured(curves) > 0, density - jnp.log(_positive(curves)), 0.0)

    def draw(
        self,
        key: Key[Array, ""],
        predicted: Float[Array, "times 2"],
        curves: Curves,
        scales: Float[Array, " scales"],
        variance: Float[Array, ""],
    ) -> Float[Array, "times 2"]:
        noise = jax.random.normal(key, predicted.shape, predicted.dtype)
        least = _STRAIGHT_BELOW * _positive(curves)
        scale = jnp.sqrt(variance) * jnp.exp(clipped(scales))
        return jnp.maximum(predicted, least) * jnp.exp(scale * noise)


def _log_ratio(predicted: Float[Array, "times 2"], curves: Curves) -> Float[Array, "times 2"]:
    """The logarithm of the curve over the measurement, defined for every curve."""
    ratio = predicted / _positive(curves)
    inside = jnp.maximum(ratio, _STRAIGHT_BELOW)
    return jnp.log(inside) + (ratio - inside) / _STRAIGHT_BELOW


def _positive(curves: Curves) -> Float[Array, "times 2"]:
    """The measurements; one where there is none."""
    return jnp.where(measured(curves) > 0, curves.ys, 1.0)
