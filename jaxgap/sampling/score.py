"""Teacher forcing: the log-probabilities a model gives to completions it is shown."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from jaxgap.models import KVCache, LanguageModel, Mask, Params, Tokens, init_cache
from jaxgap.sampling.batch import TokenBatch
from jaxgap.sharding import by_heads, by_rows, by_rows_and_heads, whole


def completion_logprobs(
    model: LanguageModel,
    params: Params,
    prompts: TokenBatch,
    tokens: Tokens,
    completion_mask: Mask,
) -> Float[Array, "batch seq"]:
    """Log-probability in nats of each completion token, given its prompt and those before it.

    **Arguments:**

    - `model`: the decoder and its tokenizer.
    - `params`: the decoder's parameters.
    - `prompts`: prompts padded on the left.
    - `tokens`: completions padded on the right.
    - `completion_mask`: which of these tokens are real; the others get 0.
    """
    prompt_length = prompts.tokens.shape[1]
    inputs = jnp.concatenate([prompts.tokens, tokens[:, :-1]], axis=1)
    mask = jnp.concatenate([prompts.mask, completion_mask[:, :-1]], axis=1)
    logits, _ = model.apply(params, inputs, mask)
    # The logits at a position predict the next token, so those of completions start one early.
    logprobs = jax.nn.log_softmax(logits[:, prompt_length - 1 :])
    picked = jnp.take_along_axis(logprobs, tokens[..., None], axis=-1)[..., 0]
    return jnp.where(completion_mask, picked, 0.0)


@functools.partial(jax.jit, static_argnames=("model",))
def next_token_logits(
    model: LanguageModel, params: Params, prompts: TokenBatch
) -> Float[Array, "batch vocab"]:
    """Logits of the token that follows each prompt."""
    hidden, _ = model.hidden_states(params, prompts.tokens, prompts.mask)
    return model.logits(params, hidden[:, -1])


@functools.partial(jax.jit, static_argnames=("model",))
def continued_logits(
    model: LanguageModel,
    params: Params,
    prefixes: TokenBatch,
    prefix_of: Int[Array, " rows"],
    rests: TokenBatch,
) -> Float[Array, "rows vocab"]:
    """Logits of the token that follows each row; beginnings that rows share are read once.

    **Arguments:**

    - `model`, `params`: the model.
    - `prefixes`, `prefix_of`, `rests`: the rows, as
        :func:`jaxgap.sampling.split_beginnings` gives them.
    """
    dtype = jax.tree.leaves(params)[0].dtype
    num_prefixes, num_slots = prefixes.tokens.shape
    num_slots += rests.tokens.shape[1]
    cache = init_cache(model.config, num_prefixes, num_slots, dtype)
    _, cache = model.hidden_states(params, prefixes.tokens, prefixes.mask, cache)
    # Whole before rows take them: there are fewer beginnings than rows, so that this is the least
    # that devices can exchange.
    keys, values = jax.tree.map(
        lambda part: by_rows_and_heads(by_heads(part)[prefix_of]), cache[:2]
    )
    cache = KVCache(keys, values, by_rows(whole(cache.valid)[prefix_of]), cache.length)
    hidden, _ = model.hidden_states(params, rests.tokens, rests.mask, cache)
    return model.logits(params, hidden[:, -1])
