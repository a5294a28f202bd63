"""Correlations of the estimates of a fit, from the curvature at the fit."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from jaxgap.fitting.curves import Curves
from jaxgap.fitting.precision import double_precision
from jaxgap.fitting.problem import FitProblem


def correlation_matrix(
    problem: FitProblem, curves: Curves, coordinates: Float[np.ndarray, " n"]
) -> Float[np.ndarray, "numbers numbers"]:
    r"""Correlations of all parameters and limits of a fit.

    $$\mathrm{Cov} = N (J^T J)^{+} N^T,$$

    with $J$ the Jacobian of the weighted residuals and $N$ that of the numbers; a constant number
    has zero correlations. All are NaN if any derivative is not finite.
    """
    with double_precision():
        jacobian, slopes = map(np.asarray, _slopes(problem, curves, coordinates))
    if not (np.isfinite(jacobian).all() and np.isfinite(slopes).all()):
        return np.full((len(slopes), len(slopes)), np.nan)
    norms = np.linalg.norm(jacobian, axis=0)
    norms[norms == 0] = 1.0
    roots = (slopes / norms) @ np.linalg.pinv(jacobian / norms)
    sizes = np.linalg.norm(roots, axis=1)
    units = roots / np.where(sizes > 0, sizes, 1.0)[:, None]
    return np.clip(units @ units.T, -1.0, 1.0)


@eqx.filter_jit
def _slopes(problem: FitProblem, curves: Curves, coordinates):
    """The Jacobians of the weighted residuals and of the numbers."""
    z = jnp.asarray(coordinates)
    return jax.jacfwd(problem.residuals)(z, curves), jax.jacfwd(problem.numbers)(z, curves)
