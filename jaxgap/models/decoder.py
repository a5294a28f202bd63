"""A Llama-style decoder in Flax NNX: RMSNorm, rotary grouped-query attention, SwiGLU.

One forward pass serves training, prefill and decoding: it reads tokens with a mask of the real
ones, and optionally a cache of earlier tokens. Positions count real tokens, so left padding has no
effect. Activations have the parameters' floating type; logits are float32.

Layers are unrolled rather than scanned. For SmolLM2's 30 layers this adds a few seconds of
compilation, but avoids slicing each layer's weights out of stacked arrays for every decoded token,
which is a copy on a CPU (experiments/LOG.md). Training steps with rematerialisation stack the
layers' parameters and scan over them (:mod:`jaxgap.training.forward`).
"""

from __future__ import annotations

import functools
from typing import cast

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Bool, Float, Int

from jaxgap.models.attention import Attention
from jaxgap.models.attention_inputs import AttentionInputs, Cache, attention_inputs
from jaxgap.models.config import DecoderConfig
from jaxgap.models.lora import LoraConfig, projection
from jaxgap.sharding import shard_rows, shard_vocab


class FeedForward(nnx.Module):
    """SwiGLU: `down(silu(gate(x)) * up(x))` (Shazeer, arXiv:2002.05202)."""

    def __init__(self, config: DecoderConfig, lora: LoraConfig | None, *, rngs: nnx.Rngs):
        make = functools.partial(projection, config, lora=lora, rngs=rngs)
        self.gate = make("gate")
        self.up = make("up")
        self.down = make("down")

    def __call__(self, x: Float[Array, "batch seq hidden"]) -> Float[Array, "batch seq hidden"]:
        return self.down(jax.nn.silu(self.gate(x)) * self.up(x))


class Block(nnx.Module):
    """One layer: attention, then feed-forward, each on a normalised copy of the residual stream."""

    def __init__(self, config: DecoderConfig, lora: LoraConfig | None, *, rngs: nnx.Rngs):
        norm = functools.partial(nnx.RMSNorm, epsilon=config.norm_eps, rngs=rngs)
        self.attention_norm = norm(config.hidden_size)
        self.attention = Attention(config, lora, rngs=rngs)
        self.feed_forward_norm = norm(config.hidden_size)
        self.feed_forward = FeedForward(config, lora, rngs=rngs)

    def __call__(
        self,
        x: Float[Array, "batch seq hidden"],
        inputs: AttentionInputs,
        cache: Cache | None,
        layer: int,
    ) -> tuple[Float[Array, "batch seq hidden"], Cache | None]:
        x = shard_rows(x)
        attended, cache = self.attention(self.attention_norm(x), inputs, cache, layer)
        x = x + attended
        return x + self.feed_forward(self.feed_forward_norm(x)), cache


class Decoder(nnx.Module):
    """A causal language model.

    **Arguments:**

    - `config`: its shape.
    - `lora`: which projections have adapters, if any.
    - `rngs`: source of the initial parameters (stream `params`).
    """

    def __init__(self, config: DecoderConfig, lora: LoraConfig | None = None, *, rngs: nnx.Rngs):
        self.config = config
        self.embedding = nnx.Embed(
            config.vocab_size,
            config.hidden_size,
            embedding_init=nnx.initializers.normal(stddev=0.05),
            rngs=rngs,
        )
        self.blocks = nnx.List([Block(config, lora, rngs=rngs) for _ in range(config.num_layers)])
        self.norm = nnx.RMSNorm(config.hidden_size, epsilon=config.norm_eps, rngs=rngs)
        if not config.tie_embeddings:
            self.unembedding = nnx.Linear(
                config.hidden_size, config.vocab_size, use_bias=False, rngs=rngs
            )

    def __call__(
        self,
        tokens: Int[Array, "batch seq"],
        token_mask: Bool[Array, "batch seq"],
        cache: Cache | None = None,
    ) -> tuple[Float[Array, "batch seq vocab"], Cache | None]:
        """Next-token logits at each given token.

        **Arguments:**

        - `tokens`: token ids; no real token attends to those masked out.
        - `token_mask`: which tokens are real.
        - `cache`: keys and values of earlier tokens, with room for `seq` more.

        **Returns:** float32 logits, and the cache with these tokens added (None if none was given).
        """
        hidden, cache = self.hidden_states(tokens, token_mask, cache)
        return self.logits(hidden), cache

    def hidden_states(
        self,
        tokens: Int[Array, "batch seq"],
        token_mask: Bool[Array, "batch seq"],
        cache: Cache | None = None,
    ) -> tuple[Float[Array, "batch seq hidden"], Cache | None]:
        """The last layer's normalised output, the input of :meth:`logits`."""
        if cache is None:
            inputs = attention_inputs(self.config, token_mask, token_mask, 0)
        else:
            inputs, cache = cache.reserve(self.config, token_mask)
        x = self.embed(tokens)
        for layer, block in enumerate(self.blocks):
            x, cache = block(x, inputs, cache, layer)
        return self.norm(shard_rows(x)), cache

    def embed(self, tokens: Int[Array, "*batch"]) -> Float[Array, "*batch hidden"]:
        """The embeddings that the first layer reads."""
        # Calling the embedding would use the floating type fixed at its construction.
        return jnp.take(shard_vocab(self.embedding.embedding[...]), tokens, axis=0)

    def logits(self, hidden: Float[Array, "*batch hidden"]) -> Float[Array, "*batch vocab"]:
        """Float32 logits of the next token."""
        return jnp.dot(hidden, self.unembedding_kernel(), preferred_element_type=jnp.float32)

    def unembedding_kernel(self) -> Float[Array, "hidden vocab"]:
        """The kernel from hidden states to logits."""
        # Tied by reading the embedding's only Param, without a shared reference in the graph.
        if self.config.tie_embeddings:
            return self.embedding.embedding[...].T
        return self.unembedding.kernel[...]


def abstract_decoder(config: DecoderConfig, lora: LoraConfig | None = None) -> Decoder:
    """A decoder with shapes (`jax.ShapeDtypeStruct`) for parameters; none are initialised.

    **Arguments:** as for :class:`Decoder`.
    """
    # Not nnx.Rngs, whose counter would be traced: the cost of each increment grows with the number
    # of parameters already created.
    rngs = cast(nnx.Rngs, _OneKey(jax.random.key(0)))
    return nnx.eval_shape(lambda: Decoder(config, lora, rngs=rngs))


class _OneKey:
    """Stands for `nnx.Rngs` where no number is drawn: shapes are the same for every key."""

    def __init__(self, key: jax.Array):
        self.key = key

    def params(self) -> jax.Array:
        return self.key
