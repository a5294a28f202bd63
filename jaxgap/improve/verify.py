"""Verify: let the verifier score each candidate."""

from __future__ import annotations

import jax
import numpy as np
from numpy.typing import ArrayLike

from jaxgap.improve.records import Candidates, Prompts, Scores
from jaxgap.improve.verifiers.abstract_verifier import AbstractVerifier
from jaxgap.models import Params
from jaxgap.sharding import broadcast_from_first

# By how much the sums of rounded probabilities may leave the range of a score.
_ROUNDING = 1e-5


def verify(
    verifier: AbstractVerifier,
    params: Params,
    prompts: Prompts,
    candidates: Candidates,
    key: jax.Array,
) -> Scores:
    """Score candidates, by the first process's word where there are several.

    A verifier may run out of time in one process and not in another.

    **Arguments:**

    - `verifier`: who scores.
    - `params`: of the model that sampled the candidates.
    - `prompts`, `candidates`: what was asked, and what was answered.
    - `key`: randomness of this stage of this round.

    **Returns:** one score a candidate, in [0, 1] or not finite.

    **Raises:** `ValueError` if the verifier gives scores of another shape, or outside [0, 1].
    """
    return broadcast_from_first(_as_scores(verifier(params, prompts, candidates, key), candidates))


def _as_scores(values: ArrayLike, candidates: Candidates) -> Scores:
    """What a verifier gave as numbers, which may be yes and no.

    **Raises:** `ValueError` unless it is one a candidate, and from 0 to 1 where it is finite.
    """
    scores = 1.0 * np.asarray(values)
    if scores.shape != candidates.finished.shape:
        raise ValueError(
            f"a verifier must give one score a candidate, {candidates.finished.shape}, got an "
            f"array of shape {scores.shape}"
        )
    numbers = scores[np.isfinite(scores)]
    beyond = numbers[(numbers < -_ROUNDING) | (numbers > 1 + _ROUNDING)]
    if beyond.size:
        raise ValueError(f"a verifier's scores must be from 0 to 1, got {beyond[0]:g}")
    return scores
