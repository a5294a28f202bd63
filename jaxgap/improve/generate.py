"""Generate: sample N candidates of each prompt at temperature 1."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from jaxgap.improve.chunks import equal_chunks
from jaxgap.improve.records import Candidates, Prompts
from jaxgap.models import LanguageModel, Params
from jaxgap.sampling import TokenBatch, row_uniforms, sample


def generate(
    model: LanguageModel,
    params: Params,
    prompts: Prompts,
    key: jax.Array,
    *,
    num_candidates: int,
    max_new_tokens: int,
    prompts_per_call: int,
) -> Candidates:
    """Sample candidates; each has a random stream of its own, whatever it is batched with.

    **Arguments:**

    - `model`, `params`: the model that samples.
    - `prompts`: what it continues.
    - `key`: randomness of this stage of this round.
    - `num_candidates`: N, per prompt.
    - `max_new_tokens`: where a completion is cut, the end token counted.
    - `prompts_per_call`: prompts sampled at a time; bounds the memory of the cache.
    """
    chunks = []
    for prompt_ids in equal_chunks(len(prompts), prompts_per_call):
        row_ids = prompt_ids[:, None] * num_candidates + np.arange(num_candidates)
        uniforms = row_uniforms(key, jnp.asarray(row_ids.reshape(-1)), max_new_tokens)
        batch = TokenBatch(prompts.batch.tokens[prompt_ids], prompts.batch.mask[prompt_ids])
        drawn = sample(model, params, batch, uniforms, 1.0, num_candidates=num_candidates)
        chunks.append(jax.device_get(drawn))
    shape = (-1, num_candidates)
    tokens, mask, logprobs, finished = (
        np.concatenate(parts).reshape(*shape, *parts[0].shape[1:])[: len(prompts)]
        for parts in zip(*chunks, strict=True)
    )
    texts = tuple(
        tuple(model.tokenizer.decode(row[kept]) for row, kept in zip(*pair, strict=True))
        for pair in zip(tokens, mask, strict=True)
    )
    return Candidates(tokens, mask, logprobs, finished, texts)
