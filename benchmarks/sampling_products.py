"""The matrix products of a decode step, and how fast XLA runs them alone.

Sampling cannot be faster than its model's own products in its own shapes: those of all layers and
the unembedding, for as many rows as are decoded together. Attention, norms, the draw and the
reading of the prompts come on top.
"""

import time
from typing import Any

import jax
import jax.numpy as jnp
from sampling_case import processor_seconds

from jaxgap.models import DecoderConfig


class Bound:
    """The products of one step, compiled into one program and ready to be timed."""

    def __init__(self, config: DecoderConfig, num_rows: int):
        self._num_rows = num_rows
        heads, kv_heads = (n * config.head_dim for n in (config.num_heads, config.num_kv_heads))
        hidden, inner = config.hidden_size, config.intermediate_size
        shapes = [(hidden, heads), (hidden, kv_heads), (hidden, kv_heads), (heads, hidden)]
        shapes += [(hidden, inner), (hidden, inner), (inner, hidden)]
        keys = iter(jax.random.split(jax.random.key(0), len(shapes) * config.num_layers + 4))
        weights = [
            [jax.random.normal(next(keys), shape) for shape in shapes]
            for _ in range(config.num_layers)
        ]
        embedding = jax.random.normal(next(keys), (config.vocab_size, hidden))
        inputs = {
            size: jax.random.normal(next(keys), (num_rows, size)) for size in {hidden, heads, inner}
        }

        def products(weights, embedding, inputs):
            outputs = [inputs[w.shape[0]] @ w for layer in weights for w in layer]
            return outputs, inputs[hidden] @ embedding.T

        self._arguments = (weights, embedding, inputs)
        self._run = jax.jit(products).lower(*self._arguments).compile()

    def measure(self, shortest: float = 1.0) -> dict[str, Any]:
        """Tokens a second by the wall, and a second of processor time, each the median of runs."""
        jax.block_until_ready(self._run(*self._arguments))
        walls, processors = [], []
        begin = time.perf_counter()
        while time.perf_counter() - begin < shortest or len(walls) < 5:
            start, processor_start = time.perf_counter(), processor_seconds()
            jax.block_until_ready(self._run(*self._arguments))
            walls.append(time.perf_counter() - start)
            processors.append(processor_seconds() - processor_start)
        rate = lambda seconds: float(self._num_rows / jnp.median(jnp.array(seconds)))  # noqa: E731
        return {"tokens_per_second": rate(walls), "tokens_per_processor_second": rate(processors)}
