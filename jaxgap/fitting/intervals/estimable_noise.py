r"""Whether a fit's measurements determine the scale of their noise.

Where a scale is a coordinate of the fit, the likelihood is unbounded if the curve can pass through
all rows that the scale belongs to: $2 n \log \sigma$ decreases without limit, the scale runs to its
floor, and every interval shrinks to a point. With a scale for each series this happens as soon as a
series has no more rows than parameters it can determine. With a row or so more the scale is far too
small more often than not: at four rows of the linear law, whose series determine three parameters
each, 90 % intervals cover 75 %. So at least two more rows than parameters are required, as degrees
of freedom for the scale.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxgap.fitting.curves import Curves
from jaxgap.fitting.intervals.unit_columns import RANK_TOLERANCE, unit_columns
from jaxgap.fitting.noise.joint_scale import on_floor
from jaxgap.fitting.precision import double_precision
from jaxgap.fitting.problem import FitProblem

_SPARE_ROWS = 2


def noise_is_estimable(
    problem: FitProblem, curves: Curves, coordinates: Float[np.ndarray, " n"]
) -> bool:
    """Whether the scales found are the noise's, and not those of curves through all rows.

    **Arguments:**

    - `problem`, `curves`, `coordinates`: the law and its noise, one trajectory, and the best fit.

    **Returns:**

    False if a scale is on its floor, or if each series has its own scale and one of them is
    constant or has fewer than two rows more than the parameters it can determine.
    """
    scales = np.asarray(problem.scales(jnp.asarray(coordinates), curves))
    if on_floor(scales):
        return False
    return len(scales) < 2 or _each_series_can_tell(problem, curves, len(coordinates) - len(scales))


def _each_series_can_tell(problem: FitProblem, curves: Curves, num_parameters: int) -> bool:
    """Whether each of two series could determine its own scale."""
    measured = np.asarray(curves.weights) > 0
    if any(np.ptp(ys[rows]) == 0 for ys, rows in zip(curves.ys.T, measured.T, strict=True)):
        return False
    spare = measured.sum(axis=0) - _SPARE_ROWS
    if (spare >= num_parameters).all():
        return True  # enough even if each determines all parameters
    with double_precision():
        num_determined = np.asarray(_num_determined(problem, curves))
    return bool((spare >= num_determined).all())


@eqx.filter_jit
def _num_determined(problem: FitProblem, curves: Curves) -> Float[Array, "2"]:
    """How many parameters each series can determine by itself, at most over the law's starts."""

    def at(start: Float[Array, " n"]) -> Float[Array, "2"]:
        jacobian = jax.jacfwd(problem.deviations)(start, curves)
        by_series = unit_columns(jacobian)[0].reshape(-1, 2, len(start))
        values = jnp.linalg.svd(jnp.swapaxes(by_series, 0, 1), compute_uv=False)
        return jnp.sum(values > RANK_TOLERANCE * values[:, :1], axis=1)

    starts = problem.starts(jax.tree.map(jnp.asarray, curves))
    return jnp.max(jax.vmap(at)(starts), axis=0)
