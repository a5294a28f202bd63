"""The cache of many candidates: shared prompts, and a ring of each row's own tokens.

Rows form groups of equal size; the rows of a group continue the same prompt, whose keys and values
are stored once per group. Attention runs over each part by itself, and the two are merged
(Milakov and Gimelshein, arXiv:1805.02867): with scores s to the prompt and t to the ring,
`(sum exp(s) v + sum exp(t) w) / (sum exp(s) + sum exp(t))`, the largest score subtracted from all.
Products with a prompt are batched over the rows of a group, so its keys are read once per group,
not once per row.
"""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from jaxgap.models import AttentionInputs, DecoderConfig, LayerBuffer, rotary_angles
from jaxgap.sampling.prefix import Prefixes
from jaxgap.sampling.ring import FLOAT32, Ring

Heads = Float[Array, "rows 1 heads head_dim"]


class SharedPrefixCache(NamedTuple):
    """The cache used while generating; a :class:`jaxgap.models.Cache`.

    **Fields:**

    - `prefix`: keys and values of each group's prompt.
    - `ring`: keys and values of the rows' own tokens.
    - `num_generated`: number of tokens that each row has drawn. All but the latest, which is about
        to be read, are in the latest slots of the ring.
    """

    prefix: Prefixes
    ring: Ring
    num_generated: Int[Array, " rows"]

    def reserve(
        self, config: DecoderConfig, token_mask: Bool[Array, "rows 1"]
    ) -> tuple[AttentionInputs, SharedPrefixCache]:
        """Attention inputs of each row's next token, and the cache with a slot reserved for it."""
        ring = self.ring._replace(step=self.ring.step + 1)
        elapsed = ring.elapsed(ring.num_slots)
        shared = jnp.repeat(self.prefix.valid, self._group_size, axis=0)
        own = elapsed < self.num_generated[:, None]
        positions = (shared.sum(1) + self.num_generated - 1)[:, None]
        if config.sliding_window is not None:
            oldest = positions - config.sliding_window + 1
            shared &= jnp.cumsum(shared, axis=1) - 1 >= oldest
            own &= positions - elapsed >= oldest
        mask = jnp.concatenate([shared, own], axis=1)[:, None]
        inputs = AttentionInputs(*rotary_angles(config, positions, positions[:, 0] + 1), mask)
        return inputs, self._replace(ring=ring, num_generated=self.num_generated + token_mask[:, 0])

    def attend(
        self,
        layer: int,
        query: Heads,
        key: LayerBuffer,
        value: LayerBuffer,
        mask: Bool[Array, "rows 1 slots"],
    ) -> tuple[Heads, SharedPrefixCache]:
        """Write one layer's keys and values to the ring, and attend to prompt and ring."""
        cache = self._replace(ring=self.ring.written(layer, key, value))
        num_groups, num_kv_heads, head_dim, prefix_slots = self.prefix.keys[layer].shape
        by_group = (num_groups, self._group_size, num_kv_heads)
        queries = query.reshape(*by_group, -1, head_dim)
        of_prompt, of_ring = jnp.split(mask, [prefix_slots], axis=2)
        own = cache._own(layer, queries.reshape(len(query), *queries.shape[2:]), of_ring)
        own = _Mixed(*(each.reshape(*by_group, *each.shape[2:]) for each in own))
        of_prompt = of_prompt.reshape(*by_group[:2], prefix_slots)
        merged = [
            _merged(
                _Mixed(*(each[:, part] for each in own)),
                cache._shared(layer, queries[:, part], of_prompt[:, part]),
            )
            for part in _halves(self._group_size)
        ]
        return jnp.concatenate(merged, axis=1).astype(value.dtype).reshape(query.shape), cache

    def _shared(
        self,
        layer: int,
        queries: Float[Array, "groups members kv_heads queries head_dim"],
        mask: Bool[Array, "groups members slots"],
    ) -> _Mixed:
        """The prompts' values, as some of the rows of each group weight them."""
        keys, values = self.prefix.keys[layer], self.prefix.values[layer]
        scores = jnp.einsum("gckqd,gkds->gkcqs", queries, keys, **FLOAT32)
        mixed = _mixed(scores, mask[:, None, :, None], "gkcqs,gksd->gkcqd", values)
        return _Mixed(*(each.swapaxes(1, 2) for each in mixed))

    def _own(
        self,
        layer: int,
        queries: Float[Array, "rows kv_heads queries head_dim"],
        mask: Bool[Array, "rows 1 slots"],
    ) -> _Mixed:
        """The values in the ring, as each row weights its own."""
        scores = self.ring.scores(layer, queries)
        return _mixed(scores, mask[:, :, None], "rkqs,rksd->rkqd", self.ring.values[layer])

    @property
    def _group_size(self) -> int:
        return self.num_generated.shape[0] // self.prefix.valid.shape[0]


class _Mixed(NamedTuple):
    """Values weighted by the exponentials of scores, relative to that of the largest score.

    Prompt and ring have a largest score of their own each: one for both would have to be looked up
    for every slot, in the other one's order, which takes XLA's CPU loops ten times as long.
    """

    values: Float[Array, "*queries head_dim"]
    largest: Float[Array, "*queries"]
    total: Float[Array, "*queries"]


def _mixed(scores: Array, mask: Array, product: str, values: Array) -> _Mixed:
    scaled = scores / values.shape[-1] ** 0.5
    # The most negative finite number, not -inf: a fully masked row must not give NaN.
    masked = jnp.where(mask, scaled, jnp.finfo(scores.dtype).min)
    largest = masked.max(-1)
    # None exceeds the largest, so the minimum changes nothing. Without one more operation XLA's CPU
    # compiler unrolls a loop over 32 slots before it could use vectors: ten times as slow.
    weights = jnp.exp(jnp.minimum(masked - largest[..., None], 0.0))
    mixed = jnp.einsum(product, weights.astype(values.dtype), values, **FLOAT32)
    return _Mixed(mixed, largest, weights.sum(-1))


def _merged(a: _Mixed, b: _Mixed) -> Float[Array, "*queries head_dim"]:
    """The values of both, divided by the total of all weights."""
    largest = jnp.maximum(a.largest, b.largest)
    of_a, of_b = jnp.exp(a.largest - largest), jnp.exp(b.largest - largest)
    total = of_a * a.total + of_b * b.total
    return (of_a / total)[..., None] * a.values + (of_b / total)[..., None] * b.values


def _halves(num_rows: int) -> list[slice]:
    """The first and the second half of the rows of a group, or the one there is.

    On a CPU none of the attention's products, of many small matrices, uses more than one core, so
    it takes several that do not wait for each other.
    """
    middle = num_rows // 2
    return [slice(middle), slice(middle, num_rows)] if middle else [slice(num_rows)]
