"""Tracing the confidence curves of many numbers of many fits together.

A curve is traced from its centre outward (:mod:`jaxgap.fitting.selection.walk`). Every refit is
exactly on the profile wherever it ends up, so no search is needed and all curves of a batch go
through the solver's queue together.
"""

from collections.abc import Sequence
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float
from scipy.special import ndtri, stdtrit

from jaxgap.fitting.curves import Curves
from jaxgap.fitting.precision import double_precision
from jaxgap.fitting.problem import FitProblem
from jaxgap.fitting.selection.confidence import ConfidenceCurve
from jaxgap.fitting.selection.search import Fits, noise_variances, padded_batch, repeat_last
from jaxgap.fitting.selection.walk import TAILS, closing_root, walk_outward


class Query(NamedTuple):
    """A number of a fit: the solver (0), the verifier (1) or the gap (2) at some time.

    Times count from the first measured one; an infinite time is the limit.
    """

    elapsed: float
    index: int


def confidence_curves(
    problem: FitProblem,
    curves: Sequence[Curves],
    fits: Fits,
    dofs: Float[np.ndarray, " curves"],
    queries: Sequence[Query],
) -> list[list[ConfidenceCurve]]:
    """Trace the confidence curve of every query for every curve of a batch.

    **Arguments:**

    - `problem`, `curves`: as for :func:`best_fits`, and `fits` from there.
    - `dofs`: the degrees of freedom of Student's t: infinite where the noise is known.
    - `queries`: the numbers to trace, the same for every curve.

    **Returns:**

    One list for each curve, with one :class:`ConfidenceCurve` for each query.
    """
    size, batch = len(curves), padded_batch(curves, smallest=1)
    tails = np.array(TAILS)[:, None]
    targets = np.where(np.isinf(dofs), -ndtri(tails), -stdtrit(np.clip(dofs, 1, 1e6), tails))
    variances = noise_variances(fits, dofs)
    leaves = [repeat_last(leaf, len(batch.t0)) for leaf in (*fits, variances, targets.T)]
    elapsed = np.array([query.elapsed for query in queries])
    indices = np.array([query.index for query in queries])
    with double_precision():
        arrays = map(jnp.asarray, (leaves[3], elapsed, indices, leaves[4].T))
        traced = walk_outward(problem, batch, Fits(*leaves[:3]), *arrays)
        centres, values, zetas = (np.asarray(leaf)[:size] for leaf in traced)
    enough = closing_root(targets)
    return [
        [
            _curve(centres[i, q], values[i, q], zetas[i, q], enough[i], dofs[i])
            for q in range(len(queries))
        ]
        for i in range(size)
    ]


def _curve(centre, values, zetas, enough, dof) -> ConfidenceCurve:
    """Join what was traced below and above the centre; `values` and `zetas` are (2, rounds)."""
    noise = 1e-9 * np.nanmax(np.abs(values - centre))
    below, zeta_below = _side(centre - values[0], zetas[0], noise, enough)
    above, zeta_above = _side(values[1] - centre, zetas[1], noise, enough)
    knots = np.concatenate([centre - below[::-1], [centre], centre + above])
    scores = np.concatenate([-zeta_below[::-1], [0.0], zeta_above])
    kept = np.diff(knots, prepend=-np.inf) > 0
    return ConfidenceCurve(knots[kept], scores[kept], float(dof))


def _side(distances, zetas, noise, enough):
    """The points of one side by distance, with one beyond them if the side is closed."""
    usable = np.isfinite(distances) & np.isfinite(zetas) & (distances > noise)
    order = np.argsort(distances[usable])
    distances, zetas = distances[usable][order], zetas[usable][order]
    # A refit may be stuck above the profile, never below: closer points cannot be higher.
    zetas = np.minimum.accumulate(zetas[::-1])[::-1]
    if len(zetas) and zetas[-1] >= enough:
        # Extrapolate past the last point along the straight line from the centre.
        distances, zetas = np.append(distances, 8 * distances[-1]), np.append(zetas, 8 * zetas[-1])
    return distances, zetas
