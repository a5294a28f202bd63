"""Verify by likelihood alone: the surer the model is of an answer, the better the answer."""

from __future__ import annotations

import dataclasses

import jax
import numpy as np

from jaxgap.improve.round_records import Candidates, Prompts, Scores
from jaxgap.improve.verifiers.abstract_verifier import AbstractVerifier
from jaxgap.models import Params


@dataclasses.dataclass(frozen=True)
class LikelihoodVerifier(AbstractVerifier):
    """The geometric mean of the probabilities of a candidate's tokens.

        s = exp(-U_f(y|x) / |y|)

    It ranks candidates as the selection's second step does, so at any threshold the candidate
    likeliest per token is chosen: sharpening without judgement (Huang et al., arXiv:2412.01951). A
    candidate without tokens scores 0.
    """

    def __call__(
        self, params: Params, prompts: Prompts, candidates: Candidates, key: jax.Array
    ) -> Scores:
        return np.exp(-candidates.uncertainty_per_token)
