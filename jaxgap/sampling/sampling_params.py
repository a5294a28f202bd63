"""User settings of the distribution that tokens are drawn from."""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

_LOWEST_TEMPERATURE = 1e-10  # below this, all weight is on the largest logit


class TracedSamplingParams(NamedTuple):
    """The fields of :class:`SamplingParams` as arrays, so that changing them does not recompile.

    **Fields:**

    - `temperature`: 0 takes the first of the most probable tokens.
    - `top_k`: 0 keeps all.
    - `top_p`, `min_p`: as in :class:`SamplingParams`.
    """

    temperature: Float[Array, ""]
    top_k: Int[Array, ""]
    top_p: Float[Array, ""]
    min_p: Float[Array, ""]


@dataclasses.dataclass(frozen=True)
class SamplingParams:
    """The distribution that tokens are drawn from, given the model's logits.

    The filters apply in the usual order: temperature, top-k, top-p, min-p. Tokens exactly as
    probable as the last one kept are kept too.

    **Fields:**

    - `temperature`: divides the logits, >= 0; 0 is greedy: always the most probable token, the
        first if several tie.
    - `top_k`: keep the k most probable tokens, >= 1; None keeps all.
    - `top_p`: of these, keep the smallest set of most probable tokens that reaches this
        probability, in (0, 1] (Holtzman et al., arXiv:1904.09751).
    - `min_p`: keep the tokens with at least this fraction of the largest probability, in [0, 1]
        (Nguyen et al., arXiv:2407.01082).

    **Raises:** `ValueError` naming a field outside its range.

    >>> SamplingParams(temperature=0.7, top_p=0.95)
    SamplingParams(temperature=0.7, top_k=None, top_p=0.95, min_p=0.0)
    """

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float = 1.0
    min_p: float = 0.0

    def __post_init__(self):
        is_finite = 0 <= self.temperature <= float(np.finfo(np.float32).max)
        self._require("temperature", bool(is_finite), "finite (in float32) and at least 0")
        is_number = np.issubdtype(np.asarray(self.top_k).dtype, np.integer)
        whole = self.top_k is None or (is_number and self.top_k >= 1)
        self._require("top_k", whole, "a whole number of at least 1, or None")
        self._require("top_p", 0 < self.top_p <= 1, "above 0 and at most 1")
        self._require("min_p", 0 <= self.min_p <= 1, "between 0 and 1")

    def _require(self, name: str, satisfied: bool, legal: str) -> None:
        if not satisfied:
            raise ValueError(f"{name} must be {legal}, got {getattr(self, name)!r}")

    def traced(self) -> TracedSamplingParams:
        """The settings as arrays, for :func:`draw`."""
        return TracedSamplingParams(
            # Lower temperatures would divide by zero in float32.
            jnp.float32(self.temperature if self.temperature >= _LOWEST_TEMPERATURE else 0),
            jnp.int32(min(self.top_k or 0, np.iinfo(np.int32).max)),
            jnp.float32(self.top_p),
            jnp.float32(self.min_p),
        )


UNFILTERED = SamplingParams()
"""Temperature 1 and no filter: the model's own distribution."""
