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
        ring = self.ring.written(layer, key, value)
        prefix_keys, prefix_values = self.prefix.keys[layer], self.prefix.values[layer]
        num_groups, num_kv_heads, head_dim, prefix_slots = prefix_keys.shape
        by_group = (num_groups, self._group_size, num_kv_heads, -1)
        by_row = (num_groups * self._group_size, num_kv_heads, -1)
        # Scaling narrow queries would round them again, so their scores are scaled, as in `attend`.
        query_divisor, score_divisor = head_dim**0.5, 1.0
        if query.dtype != jnp.float32:
            query_divisor, score_divisor = score_divisor, query_divisor
        query_by_group = (query / query_divisor).reshape(*by_group, head_dim)
        query_by_row = query_by_group.reshape(*by_row, head_dim)

        scores = jnp.einsum("gckqd,gkds->gkcqs", query_by_group, prefix_keys, **FLOAT32)
        shared_mask = mask[:, 0, :prefix_slots].reshape(num_groups, 1, self._group_size, 1, -1)
        shared = _mixed(scores / score_divisor, shared_mask, "gkcqs,gksd->gkcqd", prefix_values)
        shared = _Mixed(*(each.swapaxes(1, 2).reshape(*by_row, *each.shape[4:]) for each in shared))
        scores = ring.scores(layer, query_by_row) / score_divisor
        own_mask = mask[:, :, None, prefix_slots:]
        own = _mixed(scores, own_mask, "rkqs,rksd->rkqd", ring.values[layer])
        mixed = _merged(shared, own).astype(value.dtype).reshape(query.shape)
        return mixed, self._replace(ring=ring)

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
    # The most negative finite number, not -inf: a fully masked row must not give NaN.
    masked = jnp.where(mask, scores, jnp.finfo(scores.dtype).min)
    largest = masked.max(-1)
    weights = jnp.exp(masked - largest[..., None])
    mixed = jnp.einsum(product, weights.astype(values.dtype), values, **FLOAT32)
    return _Mixed(mixed, largest, weights.sum(-1))


def _merged(a: _Mixed, b: _Mixed) -> Float[Array, "*queries head_dim"]:
    """The values of both, divided by the total of all weights."""
    largest = jnp.maximum(a.largest, b.largest)
    of_a, of_b = jnp.exp(a.largest - largest), jnp.exp(b.largest - largest)
    total = of_a * a.total + of_b * b.total
    return (of_a / total)[..., None] * a.values + (of_b / total)[..., None] * b.values
