r"""Whether a fit's measurements tell the scale of their noise.

Where a scale is a coordinate of the fit, the likelihood has no greatest value once the curve can
pass through all that the scale belongs to: $2 n \log \sigma$ falls without end, the scale runs to
its floor, and every interval shrinks to a point. With a scale for each series that takes only as
many rows as parameters that one series can determine. A row or two more leave a scale that is far
too small by chance more often than not: at four rows of the linear law, whose series determine
three parameters, intervals of 90 % cover 75 %. So two rows more than parameters are asked for,
which the square of a scale then rests on.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxgap.fitting.curves import Curves
from jaxgap.fitting.noise.joint_scale import on_floor
from jaxgap.fitting.precision import double_precision
from jaxgap.fitting.problem import FitProblem

_SPARE_ROWS = 2
# What no direction moves by more than this part of what the strongest one does is not determined.
_RANK_TOLERANCE = 1e-9


def noise_is_estimable(
    problem: FitProblem, curves: Curves, coordinates: Float[np.ndarray, " n"]
) -> bool:
    """Whether the scales found are of the noise, and not of curves that pass through the rows.

    **Arguments:**

    - `problem`, `curves`, `coordinates`: the law and its noise, one trajectory, and the best fit.

    **Returns:**

    False where a scale is on its floor, and where each series has its own but one has fewer than
    two rows more than parameters that it can determine, or the same value in all rows.
    """
    scales = np.asarray(problem.scales(jnp.asarray(coordinates), curves))
    if on_floor(scales):
        return False
    return len(scales) < 2 or _each_series_can_tell(problem, curves, len(coordinates) - len(scales))


def _each_series_can_tell(problem: FitProblem, curves: Curves, num_parameters: int) -> bool:
    """Whether each of two series could tell a scale of its own."""
    measured = np.asarray(curves.weights) > 0
    if any(np.ptp(ys[rows]) == 0 for ys, rows in zip(curves.ys.T, measured.T, strict=True)):
        return False
    spare = measured.sum(axis=0) - _SPARE_ROWS
    if (spare >= num_parameters).all():
        return True  # more than it needs to determine them all
    with double_precision():
        num_determined = np.asarray(_num_determined(problem, curves))
    return bool((spare >= num_determined).all())


@eqx.filter_jit
def _num_determined(problem: FitProblem, curves: Curves) -> Float[Array, "2"]:
    """How many parameters each series can determine by itself, wherever the law is looked at."""

    def at(start: Float[Array, " n"]) -> Float[Array, "2"]:
        jacobian = jax.jacfwd(problem.deviations)(start, curves)
        norms = jnp.linalg.norm(jacobian, axis=0)
        scaled = (jacobian / jnp.where(norms > 0, norms, 1.0)).reshape(-1, 2, len(start))
        values = jnp.linalg.svd(jnp.swapaxes(scaled, 0, 1), compute_uv=False)
        return jnp.sum(values > _RANK_TOLERANCE * values[:, :1], axis=1)

    starts = problem.starts(jax.tree.map(jnp.asarray, curves))
    return jnp.max(jax.vmap(at)(starts), axis=0)
