"""Teacher forcing: the log-probabilities a model gives to completions it is shown."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxgap.models import LanguageModel, Mask, Params, Tokens
from jaxgap.sampling.batch import TokenBatch


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
