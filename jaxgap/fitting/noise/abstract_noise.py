r"""The interface of noise models: a likelihood as a sum of squares, and draws from it.

A least-squares solver minimises $\sum_i r_i^2$. A noise model chooses the residuals so that this is
$-2 \log L$ up to a constant: then least squares is maximum likelihood, and the rise of the squares
along a profile is the likelihood ratio. An unknown scale is either factored out of the squares
(their minimum over the degrees of freedom estimates it) or one more coordinate of the fit, and then
the squares include $2 n \log \sigma$.
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

# Residuals below this fraction of the data's range are round-off, not noise.
NOISE_FLOOR = 1e-9

Rows = Float[np.ndarray, "T series"]


class AbstractNoise(eqx.Module):
    """How measurements scatter about the curves.

    In all methods `predicted` and `curves.ys` have the columns solver and verifier, and `scales`
    are the noise's own coordinates: logarithms of its scales relative to the range of the data.
    """

    name: AbstractClassVar[str]

    @abc.abstractmethod
    def standard_errors(self, trajectory: Trajectory) -> tuple[Rows | None, list[str]]:
        """One per measurement if this noise knows them, and remarks on what was done to them.

        **Raises:**

        `InputError` if the trajectory lacks what this noise needs.
        """

    @abc.abstractmethod
    def num_scales(self, curves: Curves) -> int:
        """How many scales are coordinates of the fit."""

    @abc.abstractmethod
    def num_estimated(self, curves: Curves) -> int:
        """How many scales are estimated in total, for criteria that count parameters."""

    @abc.abstractmethod
    def residuals(
        self, predicted: Float[Array, "times 2"], curves: Curves, scales: Float[Array, " scales"]
    ) -> Float[Array, " m"]:
        """Residuals whose sum of squares is -2 log L up to a constant."""

    @abc.abstractmethod
    def variance(
        self, cost: Float[Array, ""], num_measurements: Int[Array, ""], num_free: Int[Array, ""]
    ) -> Float[Array, ""]:
        """The rise of the sum of squares that counts as one squared standard deviation."""

    @abc.abstractmethod
    def quantile(self, level: float, num_measurements: int, num_free: int) -> float | None:
        """The quantile of the profile's signed root; `None` where the noise is not estimable."""

    @abc.abstractmethod
    def log_likelihoods(
        self,
        predicted: Float[Array, "times 2"],
        curves: Curves,
        scales: Float[Array, " scales"],
        cost: Float[Array, ""],
    ) -> Float[Array, "times 2"]:
        """The log density of each measurement, in the data's own unit, at maximum likelihood.

        Zero where there is no measurement; comparable between laws.
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
        """Draw measurements about `predicted`."""


def normal_quantile(level: float) -> float:
    """The two-sided normal quantile, for known noise."""
    return float(ndtri((1 + level) / 2))


def t_quantile(level: float, dof: int) -> float | None:
    """The two-sided t quantile, for an estimated noise scale; `None` if `dof` is not positive."""
    return float(stdtrit(dof, (1 + level) / 2)) if dof > 0 else None


def measured(curves: Curves) -> Float[Array, "times 2"]:
    """One where there is a measurement, zero elsewhere."""
    return jnp.where(curves.weights > 0, 1.0, 0.0)
