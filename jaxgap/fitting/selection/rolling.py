r"""Held-out log scores by rolling origin: how well a law predicted what was measured next.

A law is refitted to the first $n$ rows for growing $n$, and every later row is scored by its log
density under the refit. The density is Student's t about the refitted curve, with a scale that
combines the noise and the uncertainty of the curve,

$$\log t_\nu\big(y;\ \hat y,\ \sigma^2 / w^2 + g^T \Sigma g\big), \qquad
  \Sigma = (J^T J / \sigma^2 + I / \tau^2)^{-1},$$

where $g$ is the curve's gradient in the law's coordinates and $J$ the Jacobian of the weighted
residuals. These coordinates are scaled so that a unit step is sensible, and a weak prior on them,
$\tau = 3$, keeps $\Sigma$ finite where the rows do not determine a coordinate.

One-step-ahead scores measure how well the law follows a run; scores of all rows to the end measure
how well it extrapolates, as a limit does. The later rows of one origin are not independent given
the fit, so the second scores are means over rows, never sums.
"""

from collections.abc import Sequence
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from scipy.special import gammaln

from jaxgap.fitting.curves import Curves
from jaxgap.fitting.precision import double_precision
from jaxgap.fitting.problem import FitProblem
from jaxgap.fitting.selection.search import (
    Fits,
    noise_variances,
    num_rows,
    padded_batch,
    repeat_last,
)

# The most origins; the first leaves half of the rows for the fit, or more if it needs them.
_MAX_ORIGINS = 5
_FIRST_PART = 0.5
# The standard deviation of the weak prior on coordinates.
_PRIOR_STDERR = 3.0


class Scores(NamedTuple):
    """Log scores by origin, in nats; higher is better.

    - `one_ahead`: of the row after each origin, summed over its measurements.
    - `to_end`: the mean of such sums over all rows after each origin.
    """

    one_ahead: Float[np.ndarray, " origins"]
    to_end: Float[np.ndarray, " origins"]


def origins(num_rows: int, num_series: int, most_free: int) -> list[int]:
    """How many rows each refit sees, increasing; empty if the series is too short.

    Every law is scored at the same origins, which leave two degrees of freedom for the noise even
    to the law with `most_free` parameters.
    """
    least = -(-(most_free + 2) // num_series)
    first = max(3, int(np.ceil(_FIRST_PART * num_rows)), least)
    if first >= num_rows:
        return []
    count = min(_MAX_ORIGINS, num_rows - first)
    return np.unique(np.linspace(first, num_rows - 1, count).round().astype(int)).tolist()


def held_out_scores(
    problem: FitProblem, prefixes: Sequence[Curves], wholes: Sequence[Curves], fits: Fits
) -> Scores:
    """Score refits on the rows that they have not seen.

    **Arguments:**

    - `problem`: the law and how its curves are computed.
    - `prefixes`, `fits`: the first rows of any number of trajectories, and the best fit of each.
    - `wholes`: the whole trajectory of each prefix, longer by at least a row.
    """
    size = len(prefixes)
    dofs = np.array([problem.dof(curves) for curves in prefixes])
    variances = noise_variances(fits, dofs)
    padded = len(padded_batch(prefixes).t0)
    arrays = (fits.coordinates, variances, np.stack([whole.ts for whole in wholes]))
    with double_precision():
        found = _predictive(
            problem, padded_batch(prefixes), *(repeat_last(leaf, padded) for leaf in arrays)
        )
        means, spreads = (np.asarray(leaf)[:size] for leaf in found)
    one_ahead, to_end = np.empty(size), np.empty(size)
    for i, (prefix, whole) in enumerate(zip(prefixes, wholes, strict=True)):
        seen, weights = num_rows(prefix), np.asarray(whole.weights)
        # Without standard errors a prefix's weights come from its own range, equal in all rows.
        scale = weights if whole.noise_known else np.asarray(prefix.weights)[:1]
        later = slice(seen, num_rows(whole))
        measured = weights[later] > 0
        noise = (
            variances[i] / np.where(measured, np.broadcast_to(scale, weights.shape)[later], 1) ** 2
        )
        error = np.asarray(whole.ys)[later] - means[i, later]
        density = _log_density(error, noise + spreads[i, later], dofs[i])
        by_row = np.where(measured, density, 0.0).sum(axis=1)
        one_ahead[i], to_end[i] = by_row[0], by_row.mean()
    return Scores(one_ahead, to_end)


@eqx.filter_jit
def _predictive(
    problem: FitProblem, batch: Curves, coordinates, variances, ts
) -> tuple[Float[Array, "prefixes times 2"], Float[Array, "prefixes times 2"]]:
    """The refitted curves at all times, and the variance of their estimates."""

    def one(curves, z, variance, ts):
        def curve(z):
            return problem.curve_fn(problem.dynamics(z, curves), ts)

        jacobian = jax.jacfwd(problem.residuals)(z, curves)
        information = jacobian.T @ jacobian / variance + jnp.eye(len(z)) / _PRIOR_STDERR**2
        slopes = jax.jacfwd(curve)(z)
        spread = jnp.linalg.solve(information, slopes.reshape(-1, len(z)).T).T
        return curve(z), jnp.sum(slopes * spread.reshape(slopes.shape), axis=-1)

    return jax.vmap(one)(jax.tree.map(jnp.asarray, batch), coordinates, variances, ts)


def _log_density(error, variance, dof: float):
    """The log density of Student's t, or of the normal distribution if `dof` is infinite."""
    square = error**2 / variance
    if np.isinf(dof):
        return -0.5 * (np.log(2 * np.pi * variance) + square)
    constant = gammaln((dof + 1) / 2) - gammaln(dof / 2) - 0.5 * np.log(dof * np.pi * variance)
    return constant - (dof + 1) / 2 * np.log1p(square / dof)
