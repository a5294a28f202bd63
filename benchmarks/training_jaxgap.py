"""One turn of jaxgap in benchmarks/training.py."""

import dataclasses
import time

import jax
import numpy as np
from training_case import WARM_UP_STEPS, Case, Clock, run_worker

from jaxgap.models import CharTokenizer, DecoderConfig, LanguageModel, LoraConfig, init_adapters
from jaxgap.sampling import TokenBatch
from jaxgap.training import (
    AdamW,
    BatchShape,
    Computation,
    Constant,
    Examples,
    TrainingBatch,
    pack,
    update,
)


def unwritten(vocab_size: int) -> CharTokenizer:
    """A vocabulary of the given size for random tokens."""
    return CharTokenizer("".join(map(chr, range(0x10000, 0x10000 + vocab_size - 2))))


def build(case: Case) -> LanguageModel:
    config = DecoderConfig(
        vocab_size=case.vocab_size,
        hidden_size=case.hidden_size,
        intermediate_size=case.intermediate_size,
        num_layers=case.num_layers,
        num_heads=case.num_heads,
        num_kv_heads=case.num_kv_heads,
        head_dim=case.head_dim,
        rope_theta=case.rope_theta,
        norm_eps=case.norm_eps,
    )
    lora = LoraConfig.uniform(case.lora_rank, alpha=2 * case.lora_rank) if case.lora_rank else None
    return LanguageModel(config, unwritten(case.vocab_size), lora)


def batch(case: Case) -> TrainingBatch:
    tokens = case.tokens().astype(np.int32)
    prompts, completions = np.split(tokens, [case.prompt_length], axis=1)
    every = lambda part: np.ones(part.shape, bool)  # noqa: E731
    examples = Examples(TokenBatch(prompts, every(prompts)), completions, every(completions))
    return pack(examples, BatchShape.of(case.rows, case.microbatch_rows, case.length))


def measure(case: Case) -> dict:
    model = build(case)
    optimizer = AdamW(Constant(case.learning_rate), case.weight_decay, case.clip_norm)
    decoder = dataclasses.replace(model, lora=None)
    params = jax.jit(decoder.init)(jax.random.key(0))
    trainable, frozen = params, {}
    if model.lora is not None:
        trainable = init_adapters(model.config, model.lora, jax.random.key(1))
        frozen = params
    del params
    opt_state = optimizer.transformation().init(trainable)
    examples = batch(case)
    start = time.perf_counter()
    lowered = update.lower(model, optimizer, Computation(), trainable, frozen, opt_state, examples)
    step = lowered.compile()
    compile_seconds = time.perf_counter() - start
    clock, losses = Clock(), []
    for _ in range(WARM_UP_STEPS + case.num_steps):
        with clock.step():
            result = jax.block_until_ready(step(trainable, frozen, opt_state, examples))
        trainable, opt_state = result.trainable, result.opt_state
        losses.append(float(result.loss))
    return clock.results() | {
        "compile_seconds": compile_seconds,
        "losses": losses,
        "versions": {"jax": jax.__version__},
    }


if __name__ == "__main__":
    run_worker(measure)
