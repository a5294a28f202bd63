"""Select: among the accepted candidates, the one the model finds most likely per token."""

from __future__ import annotations

import logging

import numpy as np

from jaxgap.improve.round_records import Candidates, Scores, Selected

_logger = logging.getLogger(__name__)


def select(candidates: Candidates, scores: Scores, threshold: float) -> Selected:
    """Choose one candidate per prompt.

    Among the candidates whose score is at least the threshold sigma, the one with the lowest
    length-normalised uncertainty is chosen. If there is none, the choice is among those with the
    highest score, and the prompt is marked as a fallback. Ties go to the candidate sampled first.

    **Arguments:**

    - `candidates`: the sampled candidates.
    - `scores`: their scores by the verifier.
    - `threshold`: sigma, in [0, 1].

    The rule is that of Sun et al., arXiv:2507.00075, section 2, which does not specify what happens
    when no candidate reaches sigma.
    """
    accepted = scores >= threshold
    fallback = np.logical_not(accepted.any(axis=1))
    eligible = np.where(fallback[:, None], scores == scores.max(axis=1, keepdims=True), accepted)
    ranking = np.where(eligible, candidates.uncertainty_per_token, np.inf)
    # If all eligible candidates of a row are empty, no rank is finite: take the first of them.
    index = np.where(
        np.isfinite(ranking).any(axis=1), ranking.argmin(axis=1), eligible.argmax(axis=1)
    )
    if fallback.any():
        _logger.info("%d of %d prompts had no accepted candidate", fallback.sum(), len(fallback))
    return Selected(index, fallback)
