r"""How far a number can go in the valley of a start, predicted from there to first order.

With residuals $r$ and Jacobian $J$ at a start, let $z^*$ be the Gauss-Newton minimum, $S^*$ the
squares there and $h$ the number's gradient. The squares stay below a limit $L$ as far as

$$g + h^\top (z^* - z) \pm \sqrt{(L - S^*)\, h^\top (J^\top J)^{-1} h}.$$
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxgap.fitting.intervals.unit_columns import unit_columns

# The least eigenvalue of the scaled normal matrix: whatever is below counts as undetermined.
_RIDGE = 1e-12


class StartGeometry(NamedTuple):
    """The squares around a start.

    - `cost`: the squares at the start.
    - `step`: from the start to the Gauss-Newton minimum.
    - `least`: the squares predicted there.
    - `root`: $R$ with $R R^\\top = (J^\\top J)^{-1}$.
    """

    cost: Float[Array, ""]
    step: Float[Array, " n"]
    least: Float[Array, ""]
    root: Float[Array, "n n"]


def start_geometry(
    residuals_at: Callable[[Float[Array, " n"]], Float[Array, " m"]], start: Float[Array, " n"]
) -> StartGeometry:
    """The geometry of the squares of `residuals_at` at a start."""
    residuals, jacobian = residuals_at(start), jax.jacfwd(residuals_at)(start)
    columns, norms = unit_columns(jacobian)
    values, vectors = jnp.linalg.eigh(columns.T @ columns)
    root = vectors / jnp.sqrt(jnp.maximum(values, _RIDGE)) / norms[:, None]
    slopes = root.T @ (jacobian.T @ residuals)
    cost = jnp.sum(residuals**2)
    return StartGeometry(cost, -root @ slopes, cost - jnp.sum(slopes**2), root)


def reach(
    geometry: StartGeometry,
    number: Float[Array, ""],
    gradient: Float[Array, " n"],
    limit: Float[Array, ""],
    direction: Float[Array, ""],
) -> Float[Array, ""]:
    """The furthest value of a number for which the squares are predicted to stay below `limit`.

    **Arguments:**

    - `geometry`: at the start.
    - `number`, `gradient`: of the number at the start.
    - `limit`: of the squares.
    - `direction`: +1 for the greatest value, -1 for the least.

    **Returns:**

    The value; infinite against the direction for a start whose own squares are beyond the limit,
    far from where the prediction is of use.
    """
    slack = jnp.maximum(limit - geometry.least, 0.0)
    width = jnp.sqrt(slack) * jnp.linalg.norm(geometry.root.T @ gradient)
    furthest = number + gradient @ geometry.step + direction * width
    is_fair = (geometry.cost < limit) & jnp.isfinite(furthest)
    return jnp.where(is_fair, furthest, -direction * jnp.inf)
