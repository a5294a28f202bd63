"""Verify: let the verifier score each candidate."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike

from jaxgap.errors import InputError
from jaxgap.improve.round_records import Candidates, Prompts, Scores
from jaxgap.improve.verifiers.abstract_verifier import AbstractVerifier
from jaxgap.models import Params
from jaxgap.sharding import broadcast_from_first

# How far sums of rounded probabilities may fall outside [0, 1].
_ROUNDING = 1e-5


def verify(
    verifier: AbstractVerifier,
    params: Params,
    prompts: Prompts,
    candidates: Candidates,
    key: jax.Array,
) -> Scores:
    """Score candidates; with several processes, the scores of the first are used.

    A verifier may time out in one process and not in another.

    **Arguments:**

    - `verifier`: scores the candidates.
    - `params`: parameters of the model that sampled the candidates.
    - `prompts`, `candidates`: the prompts and the answers to them.
    - `key`: random key for this stage of this round.

    **Returns:** one score per candidate, in [0, 1] or not finite.

    **Raises:** `InputError` if the scores have the wrong shape, or lie outside [0, 1].
    """
    return broadcast_from_first(_as_scores(verifier(params, prompts, candidates, key), candidates))


def _as_scores(values: ArrayLike, candidates: Candidates) -> Scores:
    """A verifier's output, possibly boolean, as floating-point scores; masked ones are NaN.

    **Raises:** `InputError` unless there is one per candidate and all finite ones are in [0, 1].
    """
    expected = f"a verifier must give one score a candidate, {candidates.finished.shape}, got"
    try:
        scores = np.ma.filled(1.0 * np.asanyarray(values), np.nan)
        scores = scores.astype(float) if scores.dtype == object else scores
    except (TypeError, ValueError):
        raise InputError(f"{expected} {values!r:.60}") from None
    if scores.shape != candidates.finished.shape:
        raise InputError(f"{expected} an array of shape {scores.shape}")
    # NumPy knows no bfloat16 among its floating types.
    if not jnp.issubdtype(scores.dtype, jnp.floating):
        raise InputError(f"{expected} {scores.dtype} numbers")
    scores = scores.astype(np.float32 if scores.dtype.itemsize <= 4 else np.float64)
    numbers = scores[np.isfinite(scores)]
    beyond = numbers[(numbers < -_ROUNDING) | (numbers > 1 + _ROUNDING)]
    if beyond.size:
        raise InputError(f"a verifier's scores must be from 0 to 1, got {beyond[0]:g}")
    return scores
