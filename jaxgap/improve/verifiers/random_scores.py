"""Verify at random: an uninformed control."""

from __future__ import annotations

import dataclasses

import jax
import numpy as np

from jaxgap.improve.round_records import Candidates, Prompts, Scores
from jaxgap.improve.verifiers.abstract_verifier import AbstractVerifier
from jaxgap.models import Params


@dataclasses.dataclass(frozen=True)
class RandomVerifier(AbstractVerifier):
    """Scores drawn uniformly from [0, 1).

    Any gain of a run with it comes from selecting likely answers, not from judging them.
    """

    def __call__(
        self, params: Params, prompts: Prompts, candidates: Candidates, key: jax.Array
    ) -> Scores:
        return np.asarray(jax.random.uniform(key, candidates.finished.shape))
