"""Generate: sample N candidates for each prompt at temperature 1."""

from __future__ import annotations

from collections.abc import Callable

import jax

from jaxgap.improve.round_records import Candidates, Prompts
from jaxgap.models import LanguageModel, Params
from jaxgap.sampling import Progress, sample


def generate(
    model: LanguageModel,
    params: Params,
    prompts: Prompts,
    key: jax.Array,
    *,
    num_candidates: int,
    max_new_tokens: int,
    prompts_per_call: int,
    on_progress: Callable[[Progress], None] = lambda progress: None,
) -> Candidates:
    """Sample candidates, each from its own random stream, independent of how they are batched.

    **Arguments:**

    - `model`, `params`: the model that samples.
    - `prompts`: the prompts to continue.
    - `key`: random key for this stage of this round.
    - `num_candidates`: N, per prompt.
    - `max_new_tokens`: maximum length of a completion, including the end token.
    - `prompts_per_call`: how many prompts' candidates are decoded together; bounds the memory of
        the cache.
    - `on_progress`: called every few tokens.

    **Returns:** `num_candidates` completions of each prompt.
    """
    return sample(
        model,
        params,
        prompts.batch,
        key,
        num_candidates=num_candidates,
        max_new_tokens=max_new_tokens,
        stop_strings=prompts.stop_strings,
        rows_at_once=prompts_per_call * num_candidates,
        on_progress=on_progress,
    )
