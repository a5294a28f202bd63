"""Many curves fitted by one law in one call: the point estimates needed to compare laws.

:func:`jaxgap.fitting.fit_many` profiles every parameter of every curve. Comparing laws, with refits
on growing prefixes, only needs the best fits, but hundreds of them: here every start of every curve
is one problem in the queue of the batched solver.
"""

from collections.abc import Sequence
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from jaxgap.fitting.curves import Curves, stack
from jaxgap.fitting.least_squares.batched_levenberg_marquardt import levenberg_marquardt
from jaxgap.fitting.noise.abstract_noise import NOISE_FLOOR
from jaxgap.fitting.precision import double_precision
from jaxgap.fitting.problem import FitProblem

# The most curves in one call of the compiled program, and the fewest that it is compiled for.
_BATCH = 512
_SMALLEST = 16


class Fits(NamedTuple):
    """One law's best fits to a batch of curves.

    - `coordinates`: of the law.
    - `cost`: the sum of weighted squares.
    - `converged`: whether the solver met a convergence test there.
    """

    coordinates: Float[np.ndarray, "curves n"]
    cost: Float[np.ndarray, " curves"]
    converged: Bool[np.ndarray, " curves"]


def best_fits(problem: FitProblem, curves: Sequence[Curves]) -> Fits:
    """Fit every curve from every start of the law, and keep the best of each.

    **Arguments:**

    - `problem`: the law and how its curves are computed.
    - `curves`: of equal padded length, all with a verifier or all without.
    """
    # If there are several batches, all have the same size and share a compiled program.
    smallest = _BATCH if len(curves) > _BATCH else _SMALLEST
    found = []
    for first in range(0, len(curves), _BATCH):
        chunk = curves[first : first + _BATCH]
        with double_precision():
            leaves = _search(problem, padded_batch(chunk, smallest))
            found.append([np.asarray(leaf)[: len(chunk)] for leaf in leaves])
    return Fits(*(np.concatenate(parts) for parts in zip(*found, strict=True)))


def num_rows(curves: Curves) -> int:
    """The number of rows of one curve, without the padding."""
    return int((np.asarray(curves.weights)[:, 0] > 0).sum())


def noise_variances(fits: Fits, dofs: Float[np.ndarray, " curves"]) -> Float[np.ndarray, " curves"]:
    """The variance of the weighted residuals: one if the noise is known, else from the cost."""
    estimated = np.maximum(fits.cost / np.maximum(dofs, 1.0), NOISE_FLOOR**2)
    return np.where(np.isinf(dofs), 1.0, estimated)


def padded_batch(curves: Sequence[Curves], smallest: int = _SMALLEST) -> Curves:
    """The curves as a batch of 16, 32, 64, ..., padded by repeating the last: few compilations."""
    size = max(smallest, 1 << (len(curves) - 1).bit_length())
    return stack([*curves, *[curves[-1]] * (size - len(curves))])


def repeat_last(leaf: Float[np.ndarray, "curves ..."], size: int) -> Float[np.ndarray, "size ..."]:
    """An array with one row per curve, padded as :func:`padded_batch` pads the curves."""
    return np.concatenate([leaf, np.repeat(leaf[-1:], size - len(leaf), axis=0)])


@eqx.filter_jit
def _search(problem: FitProblem, batch: Curves) -> tuple[Array, Array, Array]:
    batch = jax.tree.map(jnp.asarray, batch)
    starts = jax.vmap(problem.law.starts)(batch)
    num_curves, num_starts, size = starts.shape
    lanes = jax.tree.map(lambda leaf: jnp.repeat(leaf, num_starts, axis=0), batch)
    found = levenberg_marquardt(problem.residuals, starts.reshape(-1, size), lanes)
    cost = 2 * found.cost.reshape(num_curves, num_starts)
    cost = jnp.where(jnp.isfinite(cost), cost, jnp.inf)
    best = jnp.arange(num_curves) * num_starts + jnp.argmin(cost, axis=1)
    return found.y[best], jnp.min(cost, axis=1), found.converged[best]
