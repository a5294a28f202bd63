"""One turn of jaxgap in benchmarks/sampling.py, with the bound before and after it."""

import dataclasses
from typing import Any

import jax
import numpy as np
from sampling_case import Case, measure, resident_bytes, run_worker
from sampling_products import Bound

from jaxgap.models import DecoderConfig, LanguageModel
from jaxgap.models.huggingface import load_folder
from jaxgap.sampling import pad_left, sample


def kept_bytes(config: DecoderConfig, case: Case) -> int:
    """Keys and values of the tokens in flight, each prompt's once."""
    rows = min(case.rows_at_once, case.num_prompts * case.num_candidates)
    prompts = sorted(map(len, case.prompts()))[-rows:]
    slots = sum(prompts) + rows * case.max_new_tokens
    return 2 * 4 * config.num_layers * config.num_kv_heads * config.head_dim * slots


def work(case: Case, folder: str) -> dict[str, Any]:
    jax.block_until_ready(jax.numpy.zeros(()))  # whatever the backend needs is there
    idle = resident_bytes()
    model, params = load_folder(folder)
    weight_bytes = sum(leaf.nbytes for leaf in jax.tree.leaves(params))
    if case.num_layers != model.config.num_layers:
        config = dataclasses.replace(model.config, num_layers=case.num_layers)
        model = LanguageModel(config, model.tokenizer)
        params = model.init(jax.random.key(0))
    ids = case.prompts()
    prompts = pad_left(ids, max(map(len, ids)), model.tokenizer.pad_id)

    def generate(seed: int) -> int:
        drawn = sample(
            model,
            params,
            prompts,
            jax.random.key(seed),
            num_candidates=case.num_candidates,
            max_new_tokens=case.limits(),
            stop_ids=(),
            rows_at_once=case.rows_at_once,
        )
        assert np.isfinite(drawn.logprobs).all()
        return drawn.num_tokens

    bound = Bound(
        model.config, params, min(case.rows_at_once, case.num_prompts * case.num_candidates)
    )
    before = bound.measure()
    result = measure(case, generate)
    after = bound.measure()
    return result | {
        "idle_bytes": idle,
        "weight_bytes": weight_bytes,
        "cache_bytes": kept_bytes(model.config, case),
        "bounds": [before, after],
        "versions": {"jax": jax.__version__},
    }


if __name__ == "__main__":
    run_worker(work)
