"""Causal grouped-query attention over the given tokens and those in the cache."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Bool, Float

from jaxgap.models.attention_inputs import AttentionInputs, Cache, LayerBuffer
from jaxgap.models.config import DecoderConfig
from jaxgap.models.lora import LoraConfig, projection
from jaxgap.models.rope import rotate


def attend(
    query: Float[Array, "batch seq heads head_dim"],
    key: LayerBuffer,
    value: LayerBuffer,
    mask: Bool[Array, "batch seq slots"],
) -> Float[Array, "batch seq heads head_dim"]:
    """Scaled dot-product attention, with the softmax in float32.

    Query heads share key-value heads in equal groups, so no keys are replicated.
    """
    batch, seq, num_heads, head_dim = query.shape
    num_kv_heads = key.shape[1]
    grouped = query.reshape(batch, seq, num_kv_heads, num_heads // num_kv_heads, head_dim)
    scores = jnp.einsum("btkgd,bksd->bkgts", grouped, key, preferred_element_type=jnp.float32)
    # The most negative finite number, not -inf, avoids NaN in padding rows that attend to nothing.
    masked = jnp.where(mask[:, None, None], scores / head_dim**0.5, jnp.finfo(scores.dtype).min)
    weights = jax.nn.softmax(masked, axis=-1).astype(value.dtype)
    mixed = jnp.einsum("bkgts,bksd->btkgd", weights, value)
    return mixed.reshape(batch, seq, num_heads, head_dim)


class Attention(nnx.Module):
    """Queries, keys and values of one layer, and attention between them."""

    def __init__(self, config: DecoderConfig, lora: LoraConfig | None, *, rngs: nnx.Rngs):
        self.config = config
        make = functools.partial(projection, config, lora=lora, rngs=rngs)
        self.query = make("query")
        self.key = make("key")
        self.value = make("value")
        self.output = make("output")
        if config.qk_norm:
            self.query_norm = nnx.RMSNorm(config.head_dim, epsilon=config.norm_eps, rngs=rngs)
            self.key_norm = nnx.RMSNorm(config.head_dim, epsilon=config.norm_eps, rngs=rngs)

    def __call__(
        self,
        x: Float[Array, "batch seq hidden"],
        inputs: AttentionInputs,
        cache: Cache | None,
        layer: int,
    ) -> tuple[Float[Array, "batch seq hidden"], Cache | None]:
        query, key = self._heads(self.query(x)), self._heads(self.key(x))
        if self.config.qk_norm:
            query, key = self.query_norm(query), self.key_norm(key)
        query = rotate(query, inputs.cosines, inputs.sines)
        key = rotate(key, inputs.cosines, inputs.sines).swapaxes(1, 2)
        value = self._heads(self.value(x)).swapaxes(1, 2)
        if cache is None:
            mixed = attend(query, key, value, inputs.mask)
        else:
            mixed, cache = cache.attend(layer, query, key, value, inputs.mask)
        return self.output(mixed.reshape(*x.shape[:2], -1)), cache

    def _heads(self, x: Float[Array, "batch seq size"]) -> Float[Array, "batch seq heads head_dim"]:
        return x.reshape(*x.shape[:2], -1, self.config.head_dim)
