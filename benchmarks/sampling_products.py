"""The matrix products of a decode step, and how fast XLA runs them alone, in a separate process.

Sampling cannot be faster than the model's own products in the same shapes: those of all layers and
the unembedding, for as many rows as are decoded together. Attention, norms, the draw and prefill
come on top.
"""

import dataclasses
import time
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from sampling_case import Case, run_worker

from jaxgap.models import DecoderConfig, LanguageModel, Params
from jaxgap.models.huggingface import load_folder


def load_model(case: Case, folder: str) -> tuple[LanguageModel, Params]:
    """The model in the folder, with random weights if the case has another number of layers."""
    model, params = load_folder(folder)
    if case.num_layers != model.config.num_layers:
        config = dataclasses.replace(model.config, num_layers=case.num_layers)
        model = LanguageModel(config, model.tokenizer)
        params = model.init(jax.random.key(0))
    return model, params


def products(config: DecoderConfig, params: Params, num_rows: int) -> Callable[[], Any]:
    """The products of one step for `num_rows` rows, compiled into one program."""
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

    def compute(kernels, embedding, inputs):
        outputs = [inputs[kernel.shape[0]] @ kernel for kernel in kernels]
        if config.tie_embeddings:
            outputs.append(inputs[config.hidden_size] @ embedding.T)
        return outputs

    program = jax.jit(compute).lower(kernels, embedding, inputs).compile()
    return lambda: jax.block_until_ready(program(kernels, embedding, inputs))


def work(case: Case, folder: str, shortest: float = 1.0) -> dict[str, Any]:
    """Median tokens per second of wall-clock time, and per second of processor time."""
    model, params = load_model(case, folder)
    run = products(model.config, params, case.num_rows)
    run()
    walls, processors = [], []
    begin = time.perf_counter()
    while time.perf_counter() - begin < shortest or len(walls) < 5:
        start, processor_start = time.perf_counter(), time.process_time()
        run()
        walls.append(time.perf_counter() - start)
        processors.append(time.process_time() - processor_start)
    rate = lambda seconds: float(case.num_rows / np.median(seconds))  # noqa: E731
    return {"tokens_per_second": rate(walls), "tokens_per_processor_second": rate(processors)}


if __name__ == "__main__":
    run_worker(work)
