r"""Gaussian noise whose scale is given, or is the same unknown one for every measurement.

With weights $w_i = 1 / \sigma_i$ the residuals are $w_i (U_i - \hat U_i)$. An unknown common scale
needs no coordinate: all weights are equal, and the least squares over the degrees of freedom
estimate $\sigma^2$. The signed root of the likelihood ratio is then Student's t exactly for a law
that is linear in its parameters.
"""

from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Key

from jaxgap.dynamics.types import RealScalar, as_data
from jaxgap.errors import InputError
from jaxgap.fitting.curves import Curves
from jaxgap.fitting.noise.abstract_noise import (
    NOISE_FLOOR,
    AbstractNoise,
    Rows,
    measured,
    normal_quantile,
    t_quantile,
)
from jaxgap.trajectory import Trajectory


class AbstractGaussian(AbstractNoise):
    """Gaussian noise without coordinates of its own."""

    def num_scales(self, curves: Curves) -> int:
        return 0

    def residuals(
        self, predicted: Float[Array, "times 2"], curves: Curves, scales: Float[Array, " scales"]
    ) -> Float[Array, " m"]:
        return ((predicted - curves.ys) * curves.weights).ravel()

    def log_likelihoods(
        self,
        predicted: Float[Array, "times 2"],
        curves: Curves,
        scales: Float[Array, " scales"],
        cost: Float[Array, ""],
    ) -> Float[Array, "times 2"]:
        # The likelihood is greatest at the mean square, which no degrees of freedom correct.
        variance = self.variance(cost, curves.num_measurements, jnp.zeros((), int))
        deviations = _deviations(curves, variance)
        density = jax.scipy.stats.norm.logpdf(curves.ys, predicted, deviations)
        return jnp.where(measured(curves) > 0, density, 0.0)

    def draw(
        self,
        key: Key[Array, ""],
        predicted: Float[Array, "times 2"],
        curves: Curves,
        scales: Float[Array, " scales"],
        variance: Float[Array, ""],
    ) -> Float[Array, "times 2"]:
        noise = jax.random.normal(key, predicted.shape, predicted.dtype)
        return predicted + _deviations(curves, variance) * noise


class GivenScale(AbstractGaussian):
    """Gaussian noise of known standard errors: the trajectory's own, or the given ones.

    **Arguments:**

    - `solver`, `verifier`: standard errors > 0 of every measurement of that series, in its unit.
        By default the trajectory's, taken as true.

    **Example:**

    >>> run = Trajectory([0, 1, 2], [3.0, 2.0, 1.5])
    >>> GivenScale(solver=0.1).standard_errors(run)[0].tolist()
    [[0.1], [0.1], [0.1]]
    """

    name: ClassVar[str] = "given scale"
    solver: RealScalar | None = eqx.field(converter=as_data, default=None)
    verifier: RealScalar | None = eqx.field(converter=as_data, default=None)

    def standard_errors(self, trajectory: Trajectory) -> tuple[Rows | None, list[str]]:
        rows, remarks = given_standard_errors(trajectory, self.solver, self.verifier)
        if rows is None:
            reason = remarks[0] if remarks else "the trajectory has no standard errors"
            raise InputError(f"noise of a given scale needs its scale: {reason}")
        return rows, remarks

    def num_estimated(self, curves: Curves) -> int:
        return 0

    def variance(
        self, cost: Float[Array, ""], num_measurements: Int[Array, ""], num_free: Int[Array, ""]
    ) -> Float[Array, ""]:
        return jnp.ones_like(cost)

    def quantile(self, level: float, num_measurements: int, num_free: int) -> float | None:
        return normal_quantile(level)


class EstimatedScale(AbstractGaussian):
    """Gaussian noise of one unknown scale, the same for both series."""

    name: ClassVar[str] = "estimated scale"

    def standard_errors(self, trajectory: Trajectory) -> tuple[Rows | None, list[str]]:
        return None, []

    def num_estimated(self, curves: Curves) -> int:
        return 1

    def variance(
        self, cost: Float[Array, ""], num_measurements: Int[Array, ""], num_free: Int[Array, ""]
    ) -> Float[Array, ""]:
        dof = jnp.maximum(num_measurements - num_free, 1)
        return jnp.maximum(cost / dof, NOISE_FLOOR**2)

    def quantile(self, level: float, num_measurements: int, num_free: int) -> float | None:
        return t_quantile(level, num_measurements - num_free)


def given_standard_errors(
    trajectory: Trajectory,
    solver: RealScalar | None = None,
    verifier: RealScalar | None = None,
) -> tuple[Rows | None, list[str]]:
    """Standard errors as given, or `None` where any is missing, with what to say."""
    columns = {"solver": (solver, trajectory.solver_se)}
    if trajectory.verifier is not None:
        columns["verifier"] = (verifier, trajectory.verifier_se)
    given = {}
    for name, (scale, column) in columns.items():
        if scale is not None and not scale > 0:
            raise InputError(f"the scale of the {name} must be above zero, got {scale}")
        if scale is not None:
            given[name] = np.full(trajectory.num_rows, scale)
        elif column is not None:
            given[name] = column
    if not given:
        return None, []
    if len(given) < len(columns):
        only = next(iter(given))
        return None, [f"standard errors are given for the {only} only: the fit is unweighted"]
    return _raised(given)


def _raised(given: dict[str, np.ndarray]) -> tuple[Rows | None, list[str]]:
    """Standard errors with zeros raised to the smallest other one, which a weight needs."""
    remarks = []
    for name, column in given.items():
        if not column.any():
            return None, [f"all standard errors of the {name} are zero: the fit is unweighted"]
        floor = column[column > 0].min()
        if floor > column.min():
            remarks.append(
                f"{int((column == 0).sum())} standard errors of the {name} are zero: raised to "
                f"the smallest other one, {floor:.3g}"
            )
            given[name] = np.maximum(column, floor)
    return np.stack(list(given.values()), -1), remarks


def _deviations(curves: Curves, variance: Float[Array, ""]) -> Float[Array, "times 2"]:
    """Standard deviations; one where there is no measurement."""
    return jnp.sqrt(variance) / jnp.where(curves.weights > 0, curves.weights, 1.0)
