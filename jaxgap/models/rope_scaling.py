"""Scalings of the rotary frequencies that extend a decoder beyond its training length.

Rotary embedding rotates pair `i` of a head by `position * w_i`. Each scaling is a small record that
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
    """Maps plain frequencies to the frequencies used; hashable."""

    @property
    def attention_factor(self) -> float:
        """The factor of cosines and sines; its square scales the attention scores."""
        return 1.0

    @property
    def window(self) -> int | None:
        """The length beyond which all of a row's rotations change; None if there is none.

        Keys cached before a row outgrew it have the shorter row's rotations, a different function.
        """
        return None

    @abc.abstractmethod
    def scale(
        self, frequencies: Frequencies, lengths: Int[Array, " batch"]
    ) -> Float[Array, "rows half"]:
        """The frequencies used.

        **Arguments:**

        - `frequencies`: the plain ones.
        - `lengths`: real tokens in each row, including those in the cache.

        **Returns:** one row for all, or one per row of the batch.
        """


@dataclasses.dataclass(frozen=True)
class NoScaling(AbstractRopeScaling):
    """`w_i` unchanged."""

    def scale(self, frequencies, lengths):
        return frequencies[None]


@dataclasses.dataclass(frozen=True)
class LinearScaling(AbstractRopeScaling):
    """`w_i / factor`: position interpolation (Chen et al., arXiv:2306.15595).

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

    With `turns = original_length * w / (2 pi)`, the turns of a pair within the original window,
    `s = clip((turns - low_freq_factor) / (high_freq_factor - low_freq_factor), 0, 1)` and the
    frequency used is `(1 - s) w / factor + s w` (Llama 3.1; Grattafiori et al., arXiv:2407.21783).

    **Fields:**

    - `factor`: > 0.
    - `low_freq_factor`, `high_freq_factor`: turns below and above which nothing is blended.
    - `original_length`: the window in tokens before scaling.
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

    (Ding et al., arXiv:2402.13753, as used by Phi-3.) The choice depends on each row's own length,
    so that results do not depend on the batch; in transformers it depends on the longest row. A row
    that outgrows the window while its keys are cached keeps those keys.

    **Fields:**

    - `short_factors`, `long_factors`: one divisor per pair, > 0.
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
    """`sqrt(1 + log(stretch) / log(original_length))`; 1 if nothing is stretched,
    or for a window of one token.

    **Arguments:**

    - `stretch`: the ratio of the extended window to the original one.
    - `original_length`: the original window in tokens.

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
