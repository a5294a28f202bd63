"""What a verifier is: scores in [0, 1], which all but `exact` give without knowing any answer."""

from __future__ import annotations

import abc

import jax

from jaxgap.improve.records import Candidates, Prompts, Scores
from jaxgap.models import Params


class AbstractVerifier(abc.ABC):
    """Whatever scores candidates.

    A verifier of your own is a subclass with `__call__`:

    >>> import numpy as np
    >>> class ShortestVerifier(AbstractVerifier):
    ...     def __call__(self, params, prompts, candidates, key):
    ...         return 1 / (1 + candidates.lengths)
    """

    @abc.abstractmethod
    def __call__(
        self, params: Params, prompts: Prompts, candidates: Candidates, key: jax.Array
    ) -> Scores:
        """Score candidates in [0, 1], higher meaning more likely right.

        **Arguments:**

        - `params`: the parameters of the model that is improving itself.
        - `prompts`: what was asked.
        - `candidates`: what it answered.
        - `key`: randomness of this stage of this round.

        **Returns:** one score a candidate, of shape (prompts, candidates). The loop raises
        `ValueError` for another shape and for a score outside [0, 1], and `NotFinite` for one that
        is NaN or infinite: a run that is kept then draws the round afresh, `num_retries` times.
        """
