"""One turn of jaxgap in benchmarks/sampling.py."""

from typing import Any

import jax
import numpy as np
from sampling_case import Case, measure, resident_bytes, run_worker
from sampling_products import load_model

from jaxgap.models import DecoderConfig
from jaxgap.sampling import pad_left, sample


def kept_bytes(config: DecoderConfig, case: Case) -> int:
    """Bytes of the keys and values of the tokens in flight, counting each prompt once."""
    prompts = sorted(map(len, case.prompts(0)))[-case.num_rows :]
    slots = sum(prompts) + case.num_rows * case.max_new_tokens
    return 2 * 4 * config.num_layers * config.num_kv_heads * config.head_dim * slots


def work(case: Case, folder: str) -> dict[str, Any]:
    jax.block_until_ready(jax.numpy.zeros(()))  # initialises the backend
    idle = resident_bytes()
    model, params = load_model(case, folder)

    def generate(seed: int) -> int:
        ids = case.prompts(seed)
        drawn = sample(
            model,
            params,
            pad_left(ids, max(map(len, ids)), model.tokenizer.pad_id),
            jax.random.key(seed),
            num_candidates=case.num_candidates,
            max_new_tokens=case.limits(),
            stop_ids=(),
            rows_at_once=case.rows_at_once,
        )
        assert np.isfinite(drawn.logprobs).all()
        return drawn.num_tokens

    return measure(case, generate, lambda: generate(0)) | {
        "idle_bytes": idle,
        "weight_bytes": sum(leaf.nbytes for leaf in jax.tree.leaves(params)),
        "cache_bytes": kept_bytes(model.config, case),
        "versions": {"jax": jax.__version__},
    }


if __name__ == "__main__":
    run_worker(work)
