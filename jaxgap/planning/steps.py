"""The steps of a round as they would run on a mesh, from shapes alone.

These are the functions that the loop itself calls. Activations and products are bf16; what is
trained, and its moments, float32; every layer is computed again in the backward pass.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.sharding import Mesh

from jaxgap.models import DecoderConfig, LanguageModel, LoraConfig, init_adapters
from jaxgap.models.axes import parameter_shardings
from jaxgap.models.tokenizer import CharTokenizer
from jaxgap.planning.compiled import StepCosts, compile_step
from jaxgap.planning.workload import Workload
from jaxgap.sampling import TokenBatch, next_token_logits
from jaxgap.sharding import rows_sharding
from jaxgap.training import AdamW, Computation, Constant, TrainingBatch, update
from jaxgap.training.loss import positions_at_once

_COMPUTATION = Computation(jnp.dtype(jnp.bfloat16), jax.checkpoint_policies.nothing_saveable)
_OPTIMIZER = AdamW(Constant(1e-5))  # its numbers change no size


@dataclasses.dataclass(frozen=True)
class Steps:
    """The steps of a round of one model on one mesh.

    **Arguments:**

    - `config`: the decoder's shape.
    - `mesh`: of devices that need not be there.
    """

    config: DecoderConfig
    mesh: Mesh

    def update(self, workload: Workload) -> StepCosts:
        """One step of the optimiser."""
        trainable, frozen, opt_state = self._trained(workload)
        sizes = (workload.num_microbatches, workload.rows, workload.row_length)
        whole = self._rows(sizes, jnp.int32, axis=1)
        weights = self._rows(sizes, jnp.float32, axis=1)
        batch = TrainingBatch(whole, whole, whole, whole, weights)
        model = self._model(workload)
        with jax.set_mesh(self.mesh):
            size = positions_at_once(workload.rows, workload.row_length, self.config.vocab_size)
        return self._compile(
            lambda: update.trace(
                model, _OPTIMIZER, _COMPUTATION, trainable, frozen, opt_state, batch
            ),
            held_bytes=0,
            most_turns=(workload.num_microbatches, -(-workload.row_length // size)),
        )

    def score(self, workload: Workload) -> StepCosts:
        """Judging the candidates of a call: the next token's logits after prompt and completion."""
        rows = workload.prompts_per_call * workload.num_candidates
        sizes = (rows, workload.prompt_length + workload.completion_length)
        questions = TokenBatch(self._rows(sizes, jnp.int32), self._rows(sizes, jnp.bool_))
        params = self._params(self._model(workload).shapes(), jnp.bfloat16)
        return self._compile(
            lambda: next_token_logits.trace(self._model(workload), params, questions),
            held_bytes=self._held_while_sampling(workload),
            most_turns=(),
        )

    def _compile(self, trace: Callable[[], Any], **options: Any) -> StepCosts:
        with jax.set_mesh(self.mesh):
            return compile_step(trace(), **options)

    def _model(self, workload: Workload) -> LanguageModel:
        lora = (
            None
            if workload.lora_rank is None
            else LoraConfig.uniform(workload.lora_rank, alpha=1.0)
        )
        return LanguageModel(self.config, _tokenizer(self.config.vocab_size), lora)

    def _trained(self, workload: Workload) -> tuple[Any, Any, Any]:
        """What is trained, what is held, and the optimiser's state."""
        decoder = LanguageModel(self.config, _tokenizer(self.config.vocab_size)).shapes()
        lora = self._model(workload).lora
        if lora is None:
            trainable, frozen = self._params(decoder, jnp.float32), {}
        else:
            adapters = jax.eval_shape(
                lambda key: init_adapters(self.config, lora, key), jax.random.key(0)
            )
            trainable = self._params(adapters, jnp.float32)
            frozen = self._params(decoder, jnp.bfloat16)
        moments = jax.eval_shape(_OPTIMIZER.transformation().init, trainable)
        return trainable, frozen, self._params(moments, None)

    def _held_while_sampling(self, workload: Workload) -> int:
        """Bytes on each chip of what is trained and its moments, beside the sampler's bf16."""
        trainable, _, opt_state = self._trained(workload)
        return sum(map(_shard_bytes, jax.tree.leaves((trainable, opt_state))))

    def _params(self, shapes: Any, dtype: Any) -> Any:
        shardings = parameter_shardings(self.mesh, self.config, shapes)
        return jax.tree.map(
            lambda leaf, sharding: jax.ShapeDtypeStruct(
                leaf.shape, dtype or leaf.dtype, sharding=sharding
            ),
            shapes,
            shardings,
        )

    def _rows(self, sizes: tuple[int, ...], dtype: Any, axis: int = 0) -> Any:
        return jax.ShapeDtypeStruct(sizes, dtype, sharding=rows_sharding(self.mesh, axis))


def _tokenizer(vocab_size: int) -> CharTokenizer:
    """A tokenizer of this size; which texts it reads changes no program."""
    return CharTokenizer("".join(map(chr, range(0x10000, 0x10000 + vocab_size - 2))))


def _shard_bytes(leaf: jax.ShapeDtypeStruct) -> int:
    assert leaf.sharding is not None
    return math.prod(leaf.sharding.shard_shape(leaf.shape)) * leaf.dtype.itemsize
