r"""Identifiability: whether measurements can determine a number at all, and if not, why.

- *Structurally unidentifiable*: it can change without changing any measured curve, so that no
  amount of such data would determine it. Along some direction $v$ of the law's coordinates the
  weighted residuals do not change, $J v = 0$, but the number does, $\nabla g \cdot v \ne 0$; not
  only at the fit, where a curve may happen to be flat, but wherever it is checked.
- *Practically unidentifiable*: these data do not determine it, though better ones would. Its
  profile likelihood stays below the interval's threshold as far as it is followed, on one side or
  both; or its interval is closed but uninformative: a limit's is wider than the whole range
  observed.
- *Identifiable*: its interval is closed and informative.
- *Refuted*: it would be identifiable if the law held, but the measurements contradict it: it is a
  limit that the run is already beyond (:mod:`jaxgap.fitting.diagnosis.beyond`).
- *Held*: its value was given by the user, not estimated.

The first three are the terms of Raue et al., *Structural and practical identifiability analysis of
partially observed dynamical models by exploiting the profile likelihood*, Bioinformatics 25 (2009).
"""

from typing import Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from jaxgap.fitting.curves import Curves
from jaxgap.fitting.intervals.unit_columns import RANK_TOLERANCE, unit_columns
from jaxgap.fitting.precision import double_precision
from jaxgap.fitting.problem import FitProblem

Identifiability = Literal[
    "identifiable", "practically unidentifiable", "structurally unidentifiable", "refuted", "held"
]

# A number moves along a direction if by more than this fraction of its gradient; far above
# round-off.
_MOVES = 1e-4


def without_effect(problem: FitProblem, curves: Curves) -> Bool[np.ndarray, " reported"]:
    """Which of the problem's parameters and limits no data at such times could determine.

    **Arguments:**

    - `problem`: the law and how its curves are computed.
    - `curves`: what is measured, and when; the values matter only for the scales.

    **Returns:**

    For each of `problem.reported`, whether it moves along a direction that leaves every measured
    curve unchanged, at all of the law's starts, which are spread over the plausible range.
    """
    with double_precision():
        return np.asarray(_without_effect(problem, curves))


@eqx.filter_jit
def _without_effect(problem: FitProblem, curves: Curves) -> Bool[Array, " reported"]:
    def at(start: Float[Array, " n"]) -> Bool[Array, " reported"]:
        jacobian = jax.jacfwd(problem.residuals)(start, curves)
        slopes = jax.jacfwd(problem.numbers)(start, curves)
        # Coordinates that move nothing, the placeholders of a missing verifier, are left out.
        alive = jnp.any(slopes != 0, axis=0)
        columns, norms = unit_columns(jacobian)
        # Padded to at least one row per coordinate, the reduced SVD has all directions; a full one
        # would need a matrix of rows x rows.
        missing = max(0, len(start) - len(jacobian))
        rows = jnp.pad(columns, ((0, missing), (0, 0)))
        _, values, directions = jnp.linalg.svd(rows, full_matrices=False)
        silent = values <= RANK_TOLERANCE * values[0]
        moved = (slopes / norms * alive) @ directions.T
        strength = jnp.linalg.norm(moved * silent, axis=1)
        return strength > _MOVES * jnp.linalg.norm(moved, axis=1)

    starts = problem.starts(jax.tree.map(jnp.asarray, curves))
    return jnp.all(jax.vmap(at)(starts), axis=0)
