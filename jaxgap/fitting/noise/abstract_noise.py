r"""What a noise model is to a fit: a likelihood as squares, and measurements drawn from it.

A least-squares solver minimises $\sum_i r_i^2$. A noise model chooses the residuals so that this is
$-2 \log L$ up to a constant: then the least squares are the greatest likelihood, and what the
squares grow by along a profile is the likelihood ratio. An unknown scale is either taken out of the
squares (their minimum over the degrees of freedom is its estimate) or one more coordinate of the
fit, in which the squares include $2 n \log \sigma$.
"""

import abc

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from equinox import AbstractClassVar
from jaxtyping import Array, Float, Int, Key
from scipy.special import ndtri, stdtrit

from jaxgap.fitting.curves import Curves
from jaxgap.trajectory import Trajectory

# Residuals this small a part of the data's range are round-off, not noise.
NOISE_FLOOR = 1e-9

Rows = Float[np.ndarray, "T series"]


class AbstractNoise(eqx.Module):
    """How measurements scatter around the curves.

    In all methods `predicted` and `curves.ys` have the columns solver and verifier, and `scales`
    holds the noise's own coordinates, the logarithms of its scales over the range of the data.
    """

    name: AbstractClassVar[str]

    @abc.abstractmethod
    def standard_errors(self, trajectory: Trajectory) -> tuple[Rows | None, list[str]]:
        """One for each measurement where this noise knows them, and what was done to them.

        **Raises:**

        `InputError` if the trajectory lacks what this noise needs.
        """

    @abc.abstractmethod
    def num_scales(self, curves: Curves) -> int:
        """How many scales are coordinates of the fit."""

    @abc.abstractmethod
    def num_estimated(self, curves: Curves) -> int:
        """How many scales are estimated in all, for criteria that count parameters."""

    @abc.abstractmethod
    def residuals(
        self, predicted: Float[Array, "times 2"], curves: Curves, scales: Float[Array, " scales"]
    ) -> Float[Array, " m"]:
        """Residuals whose sum of squares is -2 log L up to a constant."""

    @abc.abstractmethod
    def variance(
        self, cost: Float[Array, ""], num_measurements: Int[Array, ""], num_free: Int[Array, ""]
    ) -> Float[Array, ""]:
        """By how much a residual's squares have to grow to count as one squared deviation."""

    @abc.abstractmethod
    def quantile(self, level: float, num_measurements: int, num_free: int) -> float | None:
        """Of the signed root of the profile; `None` where the noise cannot be estimated."""

    @abc.abstractmethod
    def log_likelihoods(
        self,
        predicted: Float[Array, "times 2"],
        curves: Curves,
        scales: Float[Array, " scales"],
        cost: Float[Array, ""],
    ) -> Float[Array, "times 2"]:
        """The log density of each measurement in the data's own unit, at the greatest likelihood.

        It is zero where there is no measurement, and comparable between laws.
        """

    @abc.abstractmethod
    def draw(
        self,
        key: Key[Array, ""],
        predicted: Float[Array, "times 2"],
        curves: Curves,
        scales: Float[Array, " scales"],
        variance: Float[Array, ""],
    ) -> Float[Array, "times 2"]:
        """Measurements around `predicted`."""


def normal_quantile(level: float) -> float:
    """Of the normal distribution: for noise that is known."""
    return float(ndtri((1 + level) / 2))


def t_quantile(level: float, dof: int) -> float | None:
    """Of Student's t: for noise whose scale is estimated; `None` without degrees of freedom."""
    return float(stdtrit(dof, (1 + level) / 2)) if dof > 0 else None


def measured(curves: Curves) -> Float[Array, "times 2"]:
    """One where there is a measurement, zero where there is none."""
    return jnp.where(curves.weights > 0, 1.0, 0.0)
