"""The interface of verifiers: scores in [0, 1]; only `exact` uses reference answers."""

from __future__ import annotations

import abc

import jax

from jaxgap.improve.round_records import Candidates, Prompts, Scores
from jaxgap.models import Params


class AbstractVerifier(abc.ABC):
    """Scores candidates.

    A custom verifier is a subclass with `__call__`:

    >>> import numpy as np
    >>> class ShortestVerifier(AbstractVerifier):
    ...     def __call__(self, params, prompts, candidates, key):
    ...         return 1 / (1 + candidates.lengths)
    """

    @abc.abstractmethod
    def __call__(
        self, params: Params, prompts: Prompts, candidates: Candidates, key: jax.Array
    ) -> Scores:
        """Score candidates in [0, 1]; higher means more likely right.

        **Arguments:**

        - `params`: the parameters of the model that is improving itself.
        - `prompts`: the prompts.
        - `candidates`: the model's answers to them.
        - `key`: random key for this stage of this round.

        **Returns:** one score per candidate, of shape (prompts, candidates). The loop raises
        `ValueError` for another shape and for a score outside [0, 1], and `NotFinite` for one that
        is NaN or infinite: a kept run then redraws the round, up to `num_retries` times.
        """
