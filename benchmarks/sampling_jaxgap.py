"""One turn of jaxgap in benchmarks/sampling.py, with the bound before and after it."""

import dataclasses
from typing import Any

import jax
import numpy as np
from sampling_case import Case, measure, run_worker
from sampling_products import Bound

from jaxgap.models import LanguageModel
from jaxgap.models.huggingface import load_folder
from jaxgap.sampling import pad_left, sample


def work(case: Case, folder: str) -> dict[str, Any]:
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

    bound = Bound(model.config, min(case.rows_at_once, case.num_prompts * case.num_candidates))
    before = bound.measure()
    result = measure(case, generate)
    after = bound.measure()
    return result | {
        "weight_bytes": weight_bytes,
        "bounds": [before, after],
        "versions": {"jax": jax.__version__},
    }


if __name__ == "__main__":
    run_worker(work)
