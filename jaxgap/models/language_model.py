"""A decoder split once into its static graph definition and its parameters.

Hot paths jit pure functions of `(model, params, ...)` with the model static, and merge inside; the
parameters are a plain nested dict of arrays.
"""

from __future__ import annotations

import dataclasses
from typing import TypeAlias, TypeVar, overload

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Bool, Float, Int

from jaxgap.models.adapters import require_adapters
from jaxgap.models.attention_inputs import Cache
from jaxgap.models.config import DecoderConfig
from jaxgap.models.decoder import Decoder, abstract_decoder
from jaxgap.models.lora import LoraConfig
from jaxgap.models.params import Params
from jaxgap.models.tokenizer import AbstractTokenizer

Tokens: TypeAlias = Int[Array | np.ndarray, "batch seq"]
Mask: TypeAlias = Bool[Array | np.ndarray, "batch seq"]
AnyCache = TypeVar("AnyCache", bound=Cache)


@dataclasses.dataclass(frozen=True)
class LanguageModel:
    """A decoder without its parameters, and its tokenizer; hashable, so static under `jax.jit`.

    **Fields:**

    - `config`: the decoder's shape.
    - `tokenizer`: its tokenizer, with as many ids as the decoder has logits.
    - `lora`: which projections have adapters, if any; the parameters then include them
        (:func:`jaxgap.models.join_adapters`).

    **Raises:** `ValueError` if the two vocabularies differ in size.
    """

    config: DecoderConfig
    tokenizer: AbstractTokenizer
    lora: LoraConfig | None = None
    graphdef: nnx.GraphDef = dataclasses.field(init=False, repr=False, compare=False)

    def __post_init__(self):
        if self.tokenizer.vocab_size != self.config.vocab_size:
            raise ValueError(
                f"config.vocab_size must be the tokenizer's {self.tokenizer.vocab_size}, "
                f"got {self.config.vocab_size}"
            )
        graphdef, _ = _split(abstract_decoder(self.config, self.lora))
        # A derived field of a frozen dataclass.
        object.__setattr__(self, "graphdef", graphdef)

    def init(self, key: jax.Array) -> Params:
        """Draw initial parameters, in float32."""
        return _split(Decoder(self.config, self.lora, rngs=nnx.Rngs(key)))[1]

    def shapes(self) -> Params:
        """The parameters as a dict of `jax.ShapeDtypeStruct`, without allocating any."""
        return _split(abstract_decoder(self.config, self.lora))[1]

    def decoder(self, params: Params) -> Decoder:
        """The decoder with these parameters.

        **Raises:** `ValueError` if the adapters among them are not those of `lora`.
        """
        require_adapters(params, self.lora)
        return nnx.merge(self.graphdef, params)

    @overload
    def apply(
        self, params: Params, tokens: Tokens, token_mask: Mask
    ) -> tuple[Float[Array, "batch seq vocab"], None]: ...

    @overload
    def apply(
        self, params: Params, tokens: Tokens, token_mask: Mask, cache: AnyCache
    ) -> tuple[Float[Array, "batch seq vocab"], AnyCache]: ...

    def apply(
        self, params: Params, tokens: Tokens, token_mask: Mask, cache: Cache | None = None
    ) -> tuple[Float[Array, "batch seq vocab"], Cache | None]:
        """The forward pass of :class:`Decoder` under these parameters."""
        return self.decoder(params)(jnp.asarray(tokens), jnp.asarray(token_mask), cache)

    @overload
    def hidden_states(
        self, params: Params, tokens: Tokens, token_mask: Mask
    ) -> tuple[Float[Array, "batch seq hidden"], None]: ...

    @overload
    def hidden_states(
        self, params: Params, tokens: Tokens, token_mask: Mask, cache: AnyCache
    ) -> tuple[Float[Array, "batch seq hidden"], AnyCache]: ...

    def hidden_states(
        self, params: Params, tokens: Tokens, token_mask: Mask, cache: Cache | None = None
    ) -> tuple[Float[Array, "batch seq hidden"], Cache | None]:
        """:meth:`apply` without the final product, whose result is the largest array of all."""
        decoder = self.decoder(params)
        return decoder.hidden_states(jnp.asarray(tokens), jnp.asarray(token_mask), cache)

    def logits(
        self, params: Params, hidden: Float[Array, "*batch hidden"]
    ) -> Float[Array, "*batch vocab"]:
        """Float32 logits of hidden states: `apply` is `logits` of `hidden_states`."""
        return self.decoder(params).logits(hidden)


def _split(model: Decoder) -> tuple[nnx.GraphDef, Params]:
    graphdef, state = nnx.split(model, nnx.Param, graph=True)
    return graphdef, nnx.to_pure_dict(state)
