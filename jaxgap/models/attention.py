"""Causal grouped-query attention, over the tokens given and those in the cache."""

from __future__ import annotations

import functools

from flax import nnx
from jaxtyping import Array, Float

from jaxgap.models.config import DecoderConfig
from jaxgap.models.lora import LoraConfig, projection
from jaxgap.models.places import Cache, Places, attend
from jaxgap.models.rope import rotate


class Attention(nnx.Module):
    """Queries, keys and values of one layer, and what the tokens make of each other."""

    def __init__(self, config: DecoderConfig, lora: LoraConfig | None, *, rngs: nnx.Rngs):
        self.config = config
        query_size = config.num_heads * config.head_dim
        kv_size = config.num_kv_heads * config.head_dim
        make = functools.partial(projection, lora=lora, rngs=rngs)
        bias = config.qkv_bias
        self.query = make("query", config.hidden_size, query_size, use_bias=bias)
        self.key = make("key", config.hidden_size, kv_size, use_bias=bias)
        self.value = make("value", config.hidden_size, kv_size, use_bias=bias)
        self.output = make("output", query_size, config.hidden_size)
        if config.qk_norm:
            self.query_norm = nnx.RMSNorm(config.head_dim, epsilon=config.norm_eps, rngs=rngs)
            self.key_norm = nnx.RMSNorm(config.head_dim, epsilon=config.norm_eps, rngs=rngs)

    def __call__(
        self, x: Float[Array, "batch seq hidden"], places: Places, cache: Cache | None, layer: int
    ) -> tuple[Float[Array, "batch seq hidden"], Cache | None]:
        query, key = self._heads(self.query(x)), self._heads(self.key(x))
        if self.config.qk_norm:
            query, key = self.query_norm(query), self.key_norm(key)
        query = rotate(query, places.cosines, places.sines)
        key = rotate(key, places.cosines, places.sines).swapaxes(1, 2)
        value = self._heads(self.value(x)).swapaxes(1, 2)
        if cache is None:
            mixed = attend(query, key, value, places.mask)
        else:
            mixed, cache = cache.attend(layer, query, key, value, places.mask)
        return self.output(mixed.reshape(*x.shape[:2], -1)), cache

    def _heads(self, x: Float[Array, "batch seq size"]) -> Float[Array, "batch seq heads head_dim"]:
        return x.reshape(*x.shape[:2], -1, self.config.head_dim)
