"""Low-rank adapters (LoRA; Hu et al., arXiv:2106.09685): their configuration and their layer.

A projection `x W` becomes `x W + scale (x A) B`, with `A` of shape (in, rank) and `B` (rank, out).
"""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
from flax import nnx

from jaxgap.models.config import DecoderConfig
from jaxgap.models.linear import Linear
from jaxgap.models.projections import ATTENTION, FEED_FORWARD, ProjectionShape, projection_shape


@dataclasses.dataclass(frozen=True)
class LoraTarget:
    """The adapters of one projection, the same in every layer.

    **Fields:**

    - `name`: `query`, `key`, `value`, `output`, `gate`, `up` or `down`.
    - `rank`: width of the adapter, >= 1.
    - `scale`: factor of its product, > 0 (`alpha / rank` in the paper).

    **Raises:** `ValueError` for an unknown name or a value outside its range.
    """

    name: str
    rank: int
    scale: float

    def __post_init__(self):
        if self.name not in ATTENTION + FEED_FORWARD:
            raise ValueError(
                f"name must be one of {', '.join(ATTENTION + FEED_FORWARD)}, got {self.name!r}"
            )
        if self.rank < 1 or not 0 < self.scale < float("inf"):
            raise ValueError(
                f"rank and scale must be positive, got {self.rank!r} and {self.scale!r}"
            )


@dataclasses.dataclass(frozen=True)
class LoraConfig:
    """Which projections have adapters.

    **Fields:**

    - `targets`: one record per projection, each projection at most once.

    **Raises:** `ValueError` if there is none, or one is named twice.

    >>> lora = LoraConfig.uniform(8, alpha=16.0, names=("query", "value"))
    >>> lora.targets[1]
    LoraTarget(name='value', rank=8, scale=2.0)
    """

    targets: tuple[LoraTarget, ...]

    def __post_init__(self):
        names = [target.name for target in self.targets]
        if not names or len(set(names)) < len(names):
            raise ValueError(f"targets must name each projection once, got {names}")

    @classmethod
    def uniform(
        cls, rank: int, *, alpha: float, names: tuple[str, ...] = ATTENTION + FEED_FORWARD
    ) -> LoraConfig:
        """The same rank and `scale = alpha / rank` in each of the named projections."""
        return cls(tuple(LoraTarget(name, rank, alpha / rank) for name in names))

    def target(self, name: str) -> LoraTarget | None:
        """The record of a projection, if it has one."""
        return next((target for target in self.targets if target.name == name), None)


class LoraLinear(Linear):
    """A projection and its adapter."""

    def __init__(self, shape: ProjectionShape, target: LoraTarget, *, rngs: nnx.Rngs):
        in_size, out_size, use_bias = shape
        super().__init__(in_size, out_size, use_bias=use_bias, rngs=rngs)
        self.scale = target.scale
        self.lora_a = nnx.Param(initial_a(rngs.params(), in_size, target.rank))
        self.lora_b = nnx.Param(jnp.zeros((target.rank, out_size)))

    def __call__(self, x):
        low = self._product(x, self.lora_a[...])
        return super().__call__(x) + self._product(self.scale * low, self.lora_b[...])


def projection(
    config: DecoderConfig, name: str, *, lora: LoraConfig | None, rngs: nnx.Rngs
) -> Linear:
    """A projection of a layer, with an adapter if `lora` has one for it."""
    shape, target = projection_shape(config, name), lora and lora.target(name)
    if target:
        return LoraLinear(shape, target, rngs=rngs)
    return Linear(shape.in_size, shape.out_size, use_bias=shape.use_bias, rngs=rngs)


def initial_a(key: jax.Array, in_size: int, rank: int) -> jax.Array:
    """Uniform in +-1 / sqrt(in_size), as in PEFT."""
    bound = in_size**-0.5
    return jax.random.uniform(key, (in_size, rank), minval=-bound, maxval=bound)
