"""How a decoder stretches its rotary frequencies to reach beyond the lengths it was trained on.

Rotary embedding turns pair `i` of a head by `position * w_i`. Each scaling is a small record that
maps the plain frequencies `w_i = theta ** (-2 i / rotary_dim)` to those used.
"""

from __future__ import annotations

import abc
import dataclasses
import math

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

Frequencies = Float[Array, " half"]


class AbstractRopeScaling(abc.ABC):
    """Plain frequencies in, frequencies used out; hashable."""

    @property
    def attention_factor(self) -> float:
        """What cosines and sines are multiplied by; its square scales the attention scores."""
        return 1.0

    @property
    def window(self) -> int | None:
        """The length beyond which a row's tokens are all turned otherwise; None if there is none.

        Keys cached before a row grew over it are those of a shorter row: another function.
        """
        return None

    @abc.abstractmethod
    def scale(
        self, frequencies: Frequencies, lengths: Int[Array, " batch"]
    ) -> Float[Array, "rows half"]:
        """The frequencies used.

        **Arguments:**

        - `frequencies`: the plain ones.
        - `lengths`: real tokens in each row, those in the cache included.

        **Returns:** one row for all, or one a row of the batch.
        """


@dataclasses.dataclass(frozen=True)
class NoScaling(AbstractRopeScaling):
    """`w_i` as they are."""

    def scale(self, frequencies, lengths):
        return frequencies[None]


@dataclasses.dataclass(frozen=True)
class LinearScaling(AbstractRopeScaling):
    """`w_i / factor`: positions squeezed into the range seen (Chen et al., arXiv:2306.15595).

    **Fields:**

    - `factor`: > 0.
    """

    factor: float

    def __post_init__(self):
        _require_positive(self, "factor")

    def scale(self, frequencies, lengths):
        return frequencies[None] / self.factor


@dataclasses.dataclass(frozen=True)
class Llama3Scaling(AbstractRopeScaling):
    """Long wavelengths divided by `factor`, short ones kept, those between blended.

    With `turns = original_length * w / (2 pi)`, how often a pair turns within the original window,
    `s = clip((turns - low_freq_factor) / (high_freq_factor - low_freq_factor), 0, 1)` and the
    frequency used is `(1 - s) w / factor + s w` (Llama 3.1; Grattafiori et al., arXiv:2407.21783).

    **Fields:**

    - `factor`: > 0.
    - `low_freq_factor`, `high_freq_factor`: turns below and above which nothing is blended.
    - `original_length`: the window in tokens before stretching.
    """

    factor: float
    low_freq_factor: float
    high_freq_factor: float
    original_length: int

    def __post_init__(self):
        _require_positive(self, "factor", "low_freq_factor", "original_length")
        if not self.high_freq_factor > self.low_freq_factor:
            raise ValueError(
                f"high_freq_factor must exceed low_freq_factor={self.low_freq_factor}, "
                f"got {self.high_freq_factor!r}"
            )

    def scale(self, frequencies, lengths):
        turns = self.original_length * frequencies / (2 * math.pi)
        width = self.high_freq_factor - self.low_freq_factor
        kept = jnp.clip((turns - self.low_freq_factor) / width, 0.0, 1.0)
        return ((1 - kept) * frequencies / self.factor + kept * frequencies)[None]


@dataclasses.dataclass(frozen=True)
class LongRope(AbstractRopeScaling):
    """`w_i / short_i` in rows within the original window, `w_i / long_i` in longer ones.

    (Ding et al., arXiv:2402.13753, as Phi-3 uses it.) Each row decides by its own length, so that
    its result does not depend on its batch; transformers decides by the longest row. A row that
    grows over the window while its keys are cached keeps the keys it has.

    **Fields:**

    - `short_factors`, `long_factors`: one divisor a pair, > 0.
    - `original_length`: the window in tokens.
    - `magnitude`: the attention factor, > 0; see :func:`longrope_attention_factor`.
    """

    short_factors: tuple[float, ...]
    long_factors: tuple[float, ...]
    original_length: int
    magnitude: float

    @property
    def attention_factor(self) -> float:
        return self.magnitude

    @property
    def window(self) -> int:
        return self.original_length

    def __post_init__(self):
        _require_positive(self, "original_length", "magnitude")
        for name in ("short_factors", "long_factors"):
            if not all(factor > 0 for factor in getattr(self, name)):
                raise ValueError(f"{name} must be positive")
        if len(self.short_factors) != len(self.long_factors):
            raise ValueError(
                f"long_factors must be as many as short_factors={len(self.short_factors)}, "
                f"got {len(self.long_factors)}"
            )

    def scale(self, frequencies, lengths):
        short = frequencies / np.asarray(self.short_factors, np.float32)
        long = frequencies / np.asarray(self.long_factors, np.float32)
        return jnp.where((lengths > self.original_length)[:, None], long, short)


def longrope_attention_factor(stretch: float, original_length: int) -> float:
    """`sqrt(1 + log(stretch) / log(original_length))`, 1 if nothing is stretched,
    or a window of one token.

    **Arguments:**

    - `stretch`: how many times the original window the model was extended to.
    - `original_length`: that window in tokens.

    >>> round(longrope_attention_factor(32.0, 4096), 4)
    1.1902
    """
    if stretch <= 1 or original_length <= 1:
        return 1.0
    return math.sqrt(1 + math.log(stretch) / math.log(original_length))


def _require_positive(record: AbstractRopeScaling, *names: str) -> None:
    for name in names:
        if not getattr(record, name) > 0:
            raise ValueError(f"{name} must be positive, got {getattr(record, name)!r}")
