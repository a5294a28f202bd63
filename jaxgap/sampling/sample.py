"""Sampling: N candidates for each prompt, as fast as the model's matrix products allow.

A prompt is prefilled once and shared by its candidates. Completions are decoded together, a few
steps per compiled call; between calls, on the host, waiting completions take the rows of those that
have ended (continuous batching). Buffers come in a few sizes and grow with the completions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import jax
import numpy as np
from jaxtyping import Int

from jaxgap.models import LanguageModel, Params
from jaxgap.sampling.batch import TokenBatch
from jaxgap.sampling.completions import Completions, Progress
from jaxgap.sampling.engine import DecodingEngine
from jaxgap.sampling.freed_memory import release_freed_memory
from jaxgap.sampling.sampling_params import UNFILTERED, SamplingParams
from jaxgap.sampling.transcript import Stop, Transcript


def sample(
    model: LanguageModel,
    params: Params,
    prompts: TokenBatch,
    key: jax.Array,
    *,
    num_candidates: int,
    max_new_tokens: int | Int[np.ndarray, "prompts candidates"],
    sampling_params: SamplingParams = UNFILTERED,
    stop_ids: Sequence[int] | None = None,
    stop_strings: Sequence[str] = (),
    rows_at_once: int = 128,
    on_progress: Callable[[Progress], None] = lambda progress: None,
) -> Completions:
    """Sample completions of each prompt.

    Each has its own random stream: a token's random number is a function of the key, of
    `prompt * N + candidate` and of the token's index, so batching affects a completion only through
    rounding.

    **Arguments:**

    - `model`, `params`: the model.
    - `prompts`: prompts padded on the left, at least one token each.
    - `key`: random key.
    - `num_candidates`: completions of each prompt (N), >= 1; another N gives other random streams.
    - `max_new_tokens`: maximum length of a completion including the end token, >= 1: one number, or
        one per completion. No completion extends beyond the model's context.
    - `sampling_params`: temperature and filters; changing them does not recompile.
    - `stop_ids`: tokens that end a completion; those of the tokenizer if None.
    - `stop_strings`: texts that end a completion as soon as they appear in it.
    - `rows_at_once`: maximum number of completions decoded together, >= 1; affects memory and
        speed, not results. On a mesh it is rounded up so that groups divide evenly.
    - `on_progress`: called every few steps.

    **Returns:** the completions with the log-probability in nats of each token, as NumPy arrays of
    shape (prompts, candidates, steps), with as many steps as the largest limit.

    **Raises:** `ValueError` if an argument is out of its range, or a prompt leaves no room in the
    model's context.
    """
    if not len(prompts.tokens):
        raise ValueError("prompts must be at least one, got none")
    prompts = TokenBatch(prompts.tokens, np.asarray(prompts.mask, bool))
    for name, number in (("num_candidates", num_candidates), ("rows_at_once", rows_at_once)):
        if not isinstance(number, int | np.integer) or number < 1:
            raise ValueError(f"{name} must be a whole number of at least 1, got {number!r}")
    if isinstance(stop_strings, str) or not all(stop_strings):
        raise ValueError(
            f"stop_strings must be several texts, none of them empty, got {stop_strings!r:.80}"
        )
    _check_ids(model, prompts, () if stop_ids is None else stop_ids)
    limits = _limits(model, prompts, num_candidates, max_new_tokens)
    ends = model.tokenizer.stop_ids if stop_ids is None else tuple(stop_ids)
    transcript = Transcript(model.tokenizer, Stop(ends, tuple(stop_strings)), limits)
    engine = DecodingEngine(
        model, params, prompts, key, sampling_params.traced(), transcript, rows_at_once
    )
    while engine.schedule():
        on_progress(transcript.progress())
        engine.decode()
    on_progress(transcript.progress())
    del engine
    release_freed_memory()
    return transcript.completions()


def _check_ids(model: LanguageModel, prompts: TokenBatch, stop_ids: Sequence[int]) -> None:
    """Reject ids outside the vocabulary: the model would read other tokens, or NaN, instead."""
    if np.ndim(stop_ids) != 1:
        raise ValueError(f"stop_ids must be several tokens, got {stop_ids!r:.80}")
    real = np.asarray(prompts.tokens)[np.asarray(prompts.mask)]
    ids = np.concatenate([real, np.array(stop_ids, real.dtype)])
    wrong = ids[(ids < 0) | (ids >= model.config.vocab_size)]
    if wrong.size:
        raise ValueError(
            f"prompts and stop_ids must be tokens from 0 to {model.config.vocab_size - 1}, got "
            f"{int(wrong[0])}; was the text encoded by another model's tokenizer?"
        )


def _limits(
    model: LanguageModel,
    prompts: TokenBatch,
    num_candidates: int,
    max_new_tokens: int | Int[np.ndarray, "prompts candidates"],
) -> Int[np.ndarray, "prompts candidates"]:
    """The maximum length of each completion: as requested, within the model's context."""
    lengths = np.asarray(prompts.mask).sum(1)
    context = model.config.context_length
    if not ((lengths > 0) & (lengths < context)).all():
        wrong = lengths[(lengths == 0) | (lengths >= context)][0]
        raise ValueError(
            f"prompts must have 1 to {context - 1} tokens, to leave room in the model's context of "
            f"{context}, got one of {wrong}"
        )
    shape = (len(lengths), num_candidates)
    wanted = np.asarray(max_new_tokens)
    is_whole = np.issubdtype(wanted.dtype, np.integer)
    if not is_whole or wanted.shape not in ((), shape) or (wanted < 1).any():
        raise ValueError(
            f"max_new_tokens must be whole numbers of at least 1, one or one a completion {shape}, "
            f"got {max_new_tokens!r:.80}"
        )
    return np.minimum(np.broadcast_to(wanted, shape), (context - lengths)[:, None])
