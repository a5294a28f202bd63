"""The arguments of the compiled programs as shapes, to compile or plan without weights.

Two programs take nearly all of sampling, :func:`jaxgap.sampling.prefix.prefill` and
:func:`jaxgap.sampling.decode.decode`. Both can be lowered with these shapes in place of arrays, for
absent devices too: each leaf may be given a sharding first.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp

from jaxgap.models import LanguageModel, Params
from jaxgap.sampling.batch import TokenBatch
from jaxgap.sampling.buckets import bucket
from jaxgap.sampling.decode import Rows
from jaxgap.sampling.prefix import Prefixes, init_prefixes
from jaxgap.sampling.ring import Ring, init_ring, ring_shapes
from jaxgap.sampling.sampling_params import UNFILTERED, TracedSamplingParams


@dataclasses.dataclass(frozen=True)
class DecodeShapes:
    """Rows decoded together.

    **Fields:**

    - `num_groups`: groups of rows that share a prompt.
    - `group_size`: rows in each.
    - `prompt_length`: tokens of the longest prompt, >= 1.
    - `completion_length`: maximum number of tokens that a row may have drawn.
    - `dtype`: the type of parameters and cache.
    """

    num_groups: int
    group_size: int
    prompt_length: int
    completion_length: int
    dtype: Any = jnp.float32

    def prefill_arguments(self, model: LanguageModel) -> tuple[Params, TokenBatch]:
        """The arguments of `prefill` after the model, to read all groups' prompts at once."""
        shape = (self.num_groups, bucket(self.prompt_length))
        tokens = TokenBatch(
            jax.ShapeDtypeStruct(shape, jnp.int32),  # pyright: ignore[reportArgumentType]
            jax.ShapeDtypeStruct(shape, jnp.bool_),  # pyright: ignore[reportArgumentType]
        )
        return self._params(model), tokens

    def decode_arguments(
        self, model: LanguageModel, num_stops: int = 1
    ) -> tuple[Params, Prefixes, Ring, Rows, jax.Array, TracedSamplingParams, jax.Array, jax.Array]:
        """The arguments of `decode` after the model, except the number of steps.

        >>> from jaxgap.models import CharTokenizer, DecoderConfig
        >>> from jaxgap.sampling.decode import decode
        >>> config = DecoderConfig(vocab_size=14, hidden_size=16, intermediate_size=32,
        ...                        num_layers=1, num_heads=2, num_kv_heads=1, head_dim=8)
        >>> model = LanguageModel(config, CharTokenizer("0123456789+="))
        >>> arguments = DecodeShapes(2, 4, 20, 32).decode_arguments(model)
        >>> _, rows, _ = decode.lower(model, *arguments, max_steps=4).out_info
        >>> rows.tokens.shape
        (8,)
        """
        num_rows = self.num_groups * self.group_size

        def rest():
            numbers = jnp.zeros(num_rows, jnp.int32)
            prefix_slots = bucket(self.prompt_length)
            num_slots = bucket(max(1, self.completion_length - 1))
            return (
                init_prefixes(model.config, self.num_groups, prefix_slots, self.dtype),
                init_ring(ring_shapes(model.config, num_rows, num_slots, self.dtype)),
                Rows(numbers, numbers, numbers, numbers > 0, numbers),
                jax.random.key(0),
                UNFILTERED.traced(),
                jnp.zeros(num_stops, jnp.int32),
                jnp.int32(1),
            )

        return self._params(model), *jax.eval_shape(rest)

    def _params(self, model: LanguageModel) -> Params:
        return jax.tree.map(
            lambda leaf: jax.ShapeDtypeStruct(leaf.shape, self.dtype), model.shapes()
        )
