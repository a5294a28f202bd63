"""The matrix products of a decode step, and how fast XLA runs them alone: a process of its own.

Sampling cannot be faster than its model's own products in its own shapes: those of all layers and
the unembedding, for as many rows as are decoded together. Attention, norms, the draw and the
reading of the prompts come on top.
"""

import dataclasses
import time
from typing import Any

import jax
import numpy as np
from sampling_case import Case, processor_seconds, run_worker

from jaxgap.models import DecoderConfig, LanguageModel, Params
from jaxgap.models.huggingface import load_folder


def load_model(case: Case, folder: str) -> tuple[LanguageModel, Params]:
    """The model of the folder; with random weights where the case wants other layers."""
    model, params = load_folder(folder)
    if case.num_layers != model.config.num_layers:
        config = dataclasses.replace(model.config, num_layers=case.num_layers)
        model = LanguageModel(config, model.tokenizer)
        params = model.init(jax.random.key(0))
    return model, params


class Bound:
    """The products of one step, compiled into one program and ready to be timed."""

    def __init__(self, config: DecoderConfig, params: Params, num_rows: int):
        self._num_rows = num_rows
        kernels = [
            leaf
            for path, leaf in jax.tree.leaves_with_path(params)
            if isinstance(path[-1], jax.tree_util.DictKey) and path[-1].key == "kernel"
        ]
        embedding = params["embedding"]["embedding"]
        key = jax.random.key(0)
        inputs = {
            size: jax.random.normal(jax.random.fold_in(key, size), (num_rows, size))
            for size in {kernel.shape[0] for kernel in kernels}
        }

        def products(kernels, embedding, inputs):
            outputs = [inputs[kernel.shape[0]] @ kernel for kernel in kernels]
            if config.tie_embeddings:
                outputs.append(inputs[config.hidden_size] @ embedding.T)
            return outputs

        self._arguments = (kernels, embedding, inputs)
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
        rate = lambda seconds: float(self._num_rows / np.median(seconds))  # noqa: E731
        return {"tokens_per_second": rate(walls), "tokens_per_processor_second": rate(processors)}


def work(case: Case, folder: str) -> dict[str, Any]:
    model, params = load_model(case, folder)
    return Bound(model.config, params, case.num_rows).measure()


if __name__ == "__main__":
    run_worker(work)
