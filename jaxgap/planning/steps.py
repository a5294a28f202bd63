"""The steps of a round as they would run on a mesh, from shapes alone.

These are the functions that the loop itself calls. Activations and products have the workload's
type; trained parameters and their moments are float32; every layer is rematerialised in the
backward pass.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.sharding import Mesh

from jaxgap.models import DecoderConfig, LanguageModel, LoraConfig, init_adapters
from jaxgap.models.tokenizer import CharTokenizer
from jaxgap.planning.compiled import StepCosts, compile_step
from jaxgap.planning.sharded_shapes import ShardedShapes, shard_bytes
from jaxgap.planning.workload import Workload
from jaxgap.sampling import Continuations, TokenBatch, continued_logits
from jaxgap.sampling.buckets import bucket, row_bucket
from jaxgap.sampling.decode import decode
from jaxgap.sampling.engine import STEPS_PER_CALL, group_size
from jaxgap.sampling.prefix import prefill
from jaxgap.sampling.prefix_cache import prompts_at_once
from jaxgap.sampling.shapes import DecodeShapes
from jaxgap.sharding import even_rows
from jaxgap.training import AdamW, Computation, Constant, TrainingBatch, update
from jaxgap.training.loss import positions_at_once

_OPTIMIZER = AdamW(Constant(1e-5))  # its hyperparameters do not affect costs


@dataclasses.dataclass(frozen=True)
class _UnwrittenTokenizer(CharTokenizer):
    """A tokenizer of any size whose tokens have no characters, which do not affect programs."""

    size: int

    @property
    def vocab_size(self) -> int:
        return self.size


@dataclasses.dataclass(frozen=True)
class Steps:
    """The steps of a round of one model on one mesh.

    **Fields:**

    - `config`: the decoder's shape.
    - `mesh`: a mesh of devices that need not be present.
    """

    config: DecoderConfig
    mesh: Mesh

    def prefill(self, workload: Workload) -> StepCosts:
        """Prefilling the prompts of a call, with the buffers for their candidates in memory."""
        shapes, model = self.decode_shapes(workload), self._model(workload)
        num_rows, num_reads = self.reads(workload)
        one_read = dataclasses.replace(shapes, num_groups=num_rows)
        params, prompts = one_read.prefill_arguments(model)
        _, prefix, ring, *_ = shapes.decode_arguments(model)
        costs = self._compile(
            lambda: prefill.trace(model, self._sharded.params(params), self._sharded.rows(prompts)),
            held_bytes=self._held_while_sampling(workload)
            + shard_bytes(self._sharded.caches((prefix, ring))),
        )
        return costs.repeated(num_reads)

    def reads(self, workload: Workload) -> tuple[int, int]:
        """How many prompts are prefilled at a time, and the number of prefills per call."""
        num_prompts, slots = workload.prompts_per_call, bucket(workload.prompt_length)
        with jax.set_mesh(self.mesh):
            most = prompts_at_once(slots)
            return row_bucket(min(most, num_prompts)), -(-num_prompts // most)

    def decode(self, workload: Workload) -> StepCosts:
        """A call of the decode loop when rows are close to their maximum length."""
        model, sharded = self._model(workload), self._sharded
        shapes = self.decode_shapes(workload)
        params, prefix, ring, rows, *scalars = shapes.decode_arguments(model)
        caches, rows, scalars = (
            sharded.caches((prefix, ring)),
            sharded.rows(rows),
            sharded.replicated(scalars),
        )
        return self._compile(
            lambda: decode.trace(
                model, sharded.params(params), *caches, rows, *scalars, max_steps=STEPS_PER_CALL
            ),
            held_bytes=self._held_while_sampling(workload),
            max_trip_counts=(STEPS_PER_CALL,),
        )

    def decode_shapes(self, workload: Workload) -> DecodeShapes:
        """The shapes in a run with more prompts than fit one call: one prompt per group of rows."""
        size = group_size(workload.num_candidates, workload.prompt_length)
        with jax.set_mesh(self.mesh):
            num_groups = even_rows(workload.prompts_per_call * workload.num_candidates // size)
        return DecodeShapes(
            num_groups,
            size,
            workload.prompt_length,
            workload.completion_length,
            jnp.dtype(workload.dtype),
        )

    def score(self, workload: Workload) -> StepCosts:
        """Judging the candidates of a call, each a suffix of its problem's prefix."""
        model, judged = self._model(workload), self.judged(workload)
        params = self._sharded.params(model.shapes(), workload.dtype)
        return self._compile(
            lambda: continued_logits.trace(model, params, *judged),
            held_bytes=self._held_while_sampling(workload),
        )

    def judged(self, workload: Workload) -> Continuations:
        """The judging prompts of a call, split into prefixes and suffixes."""
        num_prompts = workload.prompts_per_call
        with jax.set_mesh(self.mesh):
            num_prefixes = row_bucket(num_prompts)
            num_rows = even_rows(num_prompts * workload.num_candidates)
        prefix_slots = bucket(workload.prompt_length + workload.judging_before)
        suffix_slots = bucket(workload.completion_length + workload.judging_after)
        return Continuations(
            self._tokens((num_prefixes, prefix_slots)),
            self._sharded.rows(jax.ShapeDtypeStruct((num_rows,), jnp.int32)),
            self._tokens((num_rows, suffix_slots)),
        )

    def update(self, workload: Workload) -> StepCosts:
        """One step of the optimiser."""
        trainable, frozen, opt_state = self._trained(workload)
        sizes = (workload.num_microbatches, workload.rows, workload.row_length)
        integers = self._sharded.rows(jax.ShapeDtypeStruct(sizes, jnp.int32), axis=1)
        weights = self._sharded.rows(jax.ShapeDtypeStruct(sizes, jnp.float32), axis=1)
        batch = TrainingBatch(integers, integers, integers, integers, weights)
        model = self._model(workload)
        computation = Computation(
            jnp.dtype(workload.dtype), jax.checkpoint_policies.nothing_saveable
        )
        with jax.set_mesh(self.mesh):
            size = positions_at_once(workload.rows, workload.row_length, self.config.vocab_size)
        return self._compile(
            lambda: update.trace(
                model, _OPTIMIZER, computation, trainable, frozen, opt_state, batch
            ),
            held_bytes=0,
            max_trip_counts=(workload.num_microbatches, -(-workload.row_length // size)),
        )

    @property
    def _sharded(self) -> ShardedShapes:
        return ShardedShapes(self.config, self.mesh)

    def _compile(
        self, trace: Callable[[], Any], held_bytes: int, max_trip_counts: tuple[int, ...] = ()
    ) -> StepCosts:
        with jax.set_mesh(self.mesh):
            return compile_step(trace(), held_bytes, max_trip_counts)

    @property
    def _tokenizer(self) -> CharTokenizer:
        return _UnwrittenTokenizer("", self.config.vocab_size)

    def _model(self, workload: Workload) -> LanguageModel:
        lora = (
            None
            if workload.lora_rank is None
            else LoraConfig.uniform(workload.lora_rank, alpha=1.0)
        )
        return LanguageModel(self.config, self._tokenizer, lora)

    def _trained(self, workload: Workload) -> tuple[Any, Any, Any]:
        """Trainable parameters, frozen ones, and the optimiser's state."""
        decoder = LanguageModel(self.config, self._tokenizer).shapes()
        lora = self._model(workload).lora
        if lora is None:
            trainable, frozen = self._sharded.params(decoder, jnp.float32), {}
        else:
            adapters = jax.eval_shape(
                lambda key: init_adapters(self.config, lora, key), jax.random.key(0)
            )
            trainable = self._sharded.params(adapters, jnp.float32)
            frozen = self._sharded.params(decoder, workload.dtype)
        moments = jax.eval_shape(_OPTIMIZER.transformation().init, trainable)
        return trainable, frozen, self._sharded.params(moments)

    def _held_while_sampling(self, workload: Workload) -> int:
        """Bytes per chip of trained parameters and moments, besides the sampling parameters.

        In float32, sampling uses the trained parameters themselves.
        """
        trainable, _, opt_state = self._trained(workload)
        return shard_bytes((() if workload.dtype == "float32" else trainable, opt_state))

    def _tokens(self, sizes: tuple[int, int]) -> TokenBatch:
        shapes = (jax.ShapeDtypeStruct(sizes, dtype) for dtype in (jnp.int32, jnp.bool_))
        return TokenBatch(*map(self._sharded.rows, shapes))
