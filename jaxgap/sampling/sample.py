"""Sampling completions: one prefill a prompt, then a decode loop over all its candidates.

The cache travels in the carry of the loop, where it is updated in place. The loop ends when every
row has ended or the length limit is reached.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from jaxgap.models import KVCache, LanguageModel, Params, init_cache, repeat_rows
from jaxgap.sampling.batch import TokenBatch
from jaxgap.sampling.categorical import inverse_cdf


class Completions(NamedTuple):
    """Sampled completions, padded on the right; row `p * num_candidates + c` answers prompt `p`.

    **Fields:**

    - `tokens`: sampled ids, the end token included, padding after it.
    - `completion_mask`: which of them were sampled.
    - `logprobs`: log-probability in nats of each under the model at temperature 1, 0 in padding.
    - `finished`: whether the row drew its end token; otherwise it was cut at the limit.
    """

    tokens: Int[Array, "rows steps"]
    completion_mask: Bool[Array, "rows steps"]
    logprobs: Float[Array, "rows steps"]
    finished: Bool[Array, " rows"]


class _Decoding(NamedTuple):
    """What the decode loop carries: `tokens` are the latest drawn, not yet read by the model."""

    step: Int[Array, ""]
    tokens: Int[Array, " rows"]
    cache: KVCache
    completions: Completions


@functools.partial(jax.jit, static_argnames=("model", "num_candidates"))
def sample(
    model: LanguageModel,
    params: Params,
    prompts: TokenBatch,
    uniforms: Float[Array, "rows steps"],
    temperature: Float[Array, ""] | float,
    *,
    num_candidates: int,
) -> Completions:
    """Sample `num_candidates` completions of each prompt.

    **Arguments:**

    - `model`: the decoder and its tokenizer.
    - `params`: the decoder's parameters.
    - `prompts`: prompts padded on the left.
    - `uniforms`: one number in [0, 1) for each row and step, as :func:`row_uniforms` gives; their
        number of columns is the length limit, the end token counted.
    - `temperature`: of the sampling distribution, > 0; traced, so changing it compiles nothing.
    - `num_candidates`: completions a prompt, >= 1.

    **Returns:** the completions, as many rows as `uniforms`.
    """
    num_prompts, prompt_length = prompts.tokens.shape
    max_steps = uniforms.shape[1]
    dtype = jax.tree.leaves(params)[0].dtype
    cache = init_cache(model.config, num_prompts, prompt_length + max_steps, dtype)
    logits, cache = model.apply(params, prompts.tokens, prompts.mask, cache)
    logits = jnp.repeat(logits[:, -1], num_candidates, axis=0)

    def draw(step, logits, completions):
        tokens = inverse_cdf(logits, uniforms[:, step], temperature)
        return _record(completions, step, tokens, logits, model.tokenizer.eos_id)

    def running(state: _Decoding):
        return (state.step < max_steps) & ~state.completions.finished.all()

    def advance(state: _Decoding) -> _Decoding:
        active = ~state.completions.finished
        logits, cache = model.apply(params, state.tokens[:, None], active[:, None], state.cache)
        tokens, completions = draw(state.step, logits[:, -1], state.completions)
        return _Decoding(state.step + 1, tokens, cache, completions)

    rows = num_prompts * num_candidates
    empty = _no_completions(rows, max_steps, model.tokenizer.pad_id)
    tokens, completions = draw(0, logits, empty)
    start = _Decoding(jnp.int32(1), tokens, repeat_rows(cache, num_candidates), completions)
    return jax.lax.while_loop(running, advance, start).completions


def _no_completions(rows: int, max_steps: int, pad_id: int) -> Completions:
    return Completions(
        tokens=jnp.full((rows, max_steps), pad_id, jnp.int32),
        completion_mask=jnp.zeros((rows, max_steps), bool),
        logprobs=jnp.zeros((rows, max_steps), jnp.float32),
        finished=jnp.zeros((rows,), bool),
    )


def _record(
    done: Completions,
    step: Int[Array, ""] | int,
    drawn: Int[Array, " rows"],
    logits: Float[Array, "rows vocab"],
    eos_id: int,
) -> tuple[Int[Array, " rows"], Completions]:
    """Add one drawn token to each row that has not ended."""
    active = ~done.finished
    tokens = jnp.where(active, drawn, done.tokens[:, step])
    logprobs = jnp.take_along_axis(jax.nn.log_softmax(logits), drawn[:, None], axis=-1)[:, 0]
    return tokens, Completions(
        tokens=done.tokens.at[:, step].set(tokens),
        completion_mask=done.completion_mask.at[:, step].set(active),
        logprobs=done.logprobs.at[:, step].set(jnp.where(active, logprobs, 0.0)),
        finished=done.finished | (active & (drawn == eos_id)),
    )
