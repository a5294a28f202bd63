"""Verify by likelihood alone: an answer is as good as the model is sure of it."""

from __future__ import annotations

import dataclasses

import jax
import numpy as np

from jaxgap.improve.records import Candidates, Prompts, Scores
from jaxgap.improve.verifiers.abstract_verifier import AbstractVerifier
from jaxgap.models import Params


@dataclasses.dataclass(frozen=True)
class LikelihoodVerifier(AbstractVerifier):
    """The geometric mean of the probabilities of a candidate's tokens.

        s = exp(-U_f(y|x) / |y|)

    The order is that of the selection's second step, so the choice is the likeliest candidate per
    token at any threshold: sharpening without a judgement (Huang et al., arXiv:2412.01951). A
    candidate without tokens scores 0.
    """

    def __call__(
        self, params: Params, prompts: Prompts, candidates: Candidates, key: jax.Array
    ) -> Scores:
        return np.exp(-candidates.uncertainty_per_token)
