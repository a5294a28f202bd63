r"""Gaussian noise whose scale is given, or unknown but the same for every measurement.

With weights $w_i = 1 / \sigma_i$ the residuals are $w_i (U_i - \hat U_i)$. An unknown common scale
needs no coordinate: all weights are equal, and the minimal sum of squares over the degrees of
freedom estimates $\sigma^2$. For a law that is linear in its parameters the signed root of the
profile is then exactly Student's t.
"""

import math
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
        # The maximum-likelihood variance is the mean square, uncorrected for degrees of freedom.
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
    """Gaussian noise with known standard errors: the trajectory's own, or those given here.

    **Arguments:**

    - `solver`, `verifier`: the standard error > 0 of every measurement of that series, in its unit:
        one finite number. By default the trajectory's, taken as exact.

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
            columns = "solver_se" if trajectory.verifier is None else "solver_se and verifier_se"
            reason = remarks[0] if remarks else "the trajectory has none"
            raise InputError(
                f"a given noise scale needs standard errors, in the columns {columns}: {reason}"
            )
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
    """Gaussian noise with one unknown scale, the same for both series."""

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
    """The given standard errors, or `None` if they cannot be used.

    And remarks: what was done to them, or why they cannot be used if any are given.
    """
    if verifier is not None and trajectory.verifier is None:
        raise InputError("the scale of a verifier is given, and the trajectory has none")
    columns = {"solver": (solver, trajectory.solver_se)}
    if trajectory.verifier is not None:
        columns["verifier"] = (verifier, trajectory.verifier_se)
    given = {}
    for name, (scale, column) in columns.items():
        if scale is not None:
            _check_scale(scale, name)
            given[name] = np.full(trajectory.num_rows, scale)
        elif column is not None:
            given[name] = column
    if not given:
        return None, []
    if len(given) < len(columns):
        only = next(iter(given))
        return None, [f"standard errors are given for the {only} only"]
    return _raised(given)


def _check_scale(scale: RealScalar, name: str) -> None:
    if np.ndim(scale):
        raise InputError(
            f"the scale of the {name} must be one number; errors that differ from row to row "
            f"belong in the trajectory's {name}_se"
        )
    if not 0 < scale < math.inf:
        raise InputError(f"the scale of the {name} must be above zero and finite, got {scale}")


def _raised(given: dict[str, np.ndarray]) -> tuple[Rows | None, list[str]]:
    """Standard errors with zeros, which give no weight, raised to the smallest other one."""
    remarks = []
    for name, column in given.items():
        if not column.any():
            return None, [f"all standard errors of the {name} are zero"]
        floor = column[column > 0].min()
        if floor > column.min():
            remarks.append(
                f"{int((column == 0).sum())} standard errors of the {name} are zero: raised to "
                f"the smallest other one, {floor:.3g}"
            )
            given[name] = np.maximum(column, floor)
    return np.stack(list(given.values()), -1), remarks


def _deviations(curves: Curves, variance: Float[Array, ""]) -> Float[Array, "times 2"]:
    """Standard deviations; a dummy value where there is no measurement."""
    return jnp.sqrt(variance) / jnp.where(curves.weights > 0, curves.weights, 1.0)
