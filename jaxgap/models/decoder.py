"""A Llama-style decoder in Flax NNX: RMSNorm, rotary grouped-query attention, SwiGLU.

One forward pass serves training, prefill and decoding: it reads tokens with a mask of the real
ones, and optionally a cache of what came before. Positions count real tokens, so left padding is
invisible.
"""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Bool, Float, Int

from jaxgap.models.cache import KVCache, write_layer
from jaxgap.models.config import DecoderConfig
from jaxgap.models.rope import rotary_angles, rotate

_linear = functools.partial(nnx.Linear, use_bias=False)


def attend(
    query: Float[Array, "batch seq heads head_dim"],
    key: Float[Array, "batch slots kv_heads head_dim"],
    value: Float[Array, "batch slots kv_heads head_dim"],
    mask: Bool[Array, "batch seq slots"],
) -> Float[Array, "batch seq heads head_dim"]:
    """Scaled dot-product attention; query heads share key-value heads in equal groups."""
    batch, seq, num_heads, head_dim = query.shape
    num_kv_heads = key.shape[2]
    grouped = query.reshape(batch, seq, num_kv_heads, num_heads // num_kv_heads, head_dim)
    scores = jnp.einsum("btkgd,bskd->bkgts", grouped, key) / head_dim**0.5
    # The most negative finite number, not -inf: a row of padding attends to nothing, without NaN.
    scores = jnp.where(mask[:, None, None], scores, jnp.finfo(scores.dtype).min)
    weights = jax.nn.softmax(scores, axis=-1)
    mixed = jnp.einsum("bkgts,bskd->btkgd", weights, value)
    return mixed.reshape(batch, seq, num_heads, head_dim)


class Attention(nnx.Module):
    """Causal self-attention over the tokens given and those in the cache."""

    def __init__(self, config: DecoderConfig, *, rngs: nnx.Rngs):
        self.config = config
        query_size = config.num_heads * config.head_dim
        kv_size = config.num_kv_heads * config.head_dim
        self.query = _linear(config.hidden_size, query_size, rngs=rngs)
        self.key = _linear(config.hidden_size, kv_size, rngs=rngs)
        self.value = _linear(config.hidden_size, kv_size, rngs=rngs)
        self.output = _linear(query_size, config.hidden_size, rngs=rngs)

    def __call__(self, x, angles, mask, cache: KVCache | None, layer: int):
        batch, seq, _ = x.shape
        head_dim = self.config.head_dim
        query = rotate(self.query(x).reshape(batch, seq, -1, head_dim), *angles)
        key = rotate(self.key(x).reshape(batch, seq, -1, head_dim), *angles)
        value = self.value(x).reshape(batch, seq, -1, head_dim)
        if cache is not None:
            cache = cache._replace(
                keys=write_layer(cache.keys, layer, cache.length, key),
                values=write_layer(cache.values, layer, cache.length, value),
            )
            key, value = cache.keys[layer], cache.values[layer]
        mixed = attend(query, key, value, mask)
        return self.output(mixed.reshape(batch, seq, -1)), cache


class FeedForward(nnx.Module):
    """SwiGLU: `down(silu(gate(x)) * up(x))` (Shazeer, arXiv:2002.05202)."""

    def __init__(self, config: DecoderConfig, *, rngs: nnx.Rngs):
        self.gate = _linear(config.hidden_size, config.intermediate_size, rngs=rngs)
        self.up = _linear(config.hidden_size, config.intermediate_size, rngs=rngs)
        self.down = _linear(config.intermediate_size, config.hidden_size, rngs=rngs)

    def __call__(self, x: Float[Array, "batch seq hidden"]) -> Float[Array, "batch seq hidden"]:
        return self.down(jax.nn.silu(self.gate(x)) * self.up(x))


class Block(nnx.Module):
    """One layer: attention, then feed-forward, each on a normalised copy of the residual stream."""

    def __init__(self, config: DecoderConfig, *, rngs: nnx.Rngs):
        norm = functools.partial(nnx.RMSNorm, epsilon=config.norm_eps, rngs=rngs)
        self.attention_norm = norm(config.hidden_size)
        self.attention = Attention(config, rngs=rngs)
        self.feed_forward_norm = norm(config.hidden_size)
        self.feed_forward = FeedForward(config, rngs=rngs)

    def __call__(self, x, angles, mask, cache: KVCache | None, layer: int):
        attended, cache = self.attention(self.attention_norm(x), angles, mask, cache, layer)
        x = x + attended
        return x + self.feed_forward(self.feed_forward_norm(x)), cache


class Decoder(nnx.Module):
    """A causal language model.

    **Arguments:**

    - `config`: its shape.
    - `rngs`: where initial parameters are drawn from (stream `params`).
    """

    def __init__(self, config: DecoderConfig, *, rngs: nnx.Rngs):
        self.config = config
        self.embedding = nnx.Embed(
            config.vocab_size,
            config.hidden_size,
            embedding_init=nnx.initializers.normal(stddev=0.05),
            rngs=rngs,
        )
        self.blocks = nnx.List([Block(config, rngs=rngs) for _ in range(config.num_layers)])
        self.norm = nnx.RMSNorm(config.hidden_size, epsilon=config.norm_eps, rngs=rngs)
        if not config.tie_embeddings:
            self.unembedding = _linear(config.hidden_size, config.vocab_size, rngs=rngs)

    def __call__(
        self,
        tokens: Int[Array, "batch seq"],
        token_mask: Bool[Array, "batch seq"],
        cache: KVCache | None = None,
    ) -> tuple[Float[Array, "batch seq vocab"], KVCache | None]:
        """Logits of the token after each token given.

        **Arguments:**

        - `tokens`: token ids; those masked out are read but seen by no real token.
        - `token_mask`: which tokens are real.
        - `cache`: keys and values of earlier tokens, with room for `seq` more.

        **Returns:** float32 logits, and the cache with these tokens added (None if none was given).
        """
        seq = tokens.shape[1]
        if cache is None:
            valid, start, num_before = token_mask, 0, 0
        else:
            start, num_before = cache.length, cache.valid.sum(1, keepdims=True)
            zero = jnp.zeros((), start.dtype)
            valid = jax.lax.dynamic_update_slice(cache.valid, token_mask, (zero, start))
            cache = cache._replace(valid=valid)
        positions = num_before + jnp.maximum(jnp.cumsum(token_mask, axis=1) - 1, 0)
        angles = rotary_angles(positions, self.config.head_dim, self.config.rope_theta)
        slots = jnp.arange(valid.shape[1])
        causal = slots[None, :] <= start + jnp.arange(seq)[:, None]
        mask = causal[None] & valid[:, None, :]

        x = self.embedding(tokens)
        for layer, block in enumerate(self.blocks):
            x, cache = block(x, angles, mask, cache, layer)
        if cache is not None:
            cache = cache._replace(length=cache.length + seq)
        return self._logits(self.norm(x)), cache

    def _logits(self, x: Float[Array, "batch seq hidden"]) -> Float[Array, "batch seq vocab"]:
        # Tied by calling the embedding's method: one Param, no shared reference in the graph.
        logits = self.embedding.attend(x) if self.config.tie_embeddings else self.unembedding(x)
        return logits.astype(jnp.float32)
