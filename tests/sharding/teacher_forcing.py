"""The log-probabilities that one full forward gives to completions, for the scripts beside this."""

import jax
import jax.numpy as jnp


def completion_logprobs(model, params, prompts, tokens, mask):
    """Those of each token of a completion, given its prompt and the tokens before it."""
    rows = jnp.concatenate([prompts.tokens, tokens[:, :-1]], axis=1)
    real = jnp.concatenate([prompts.mask, mask[:, :-1]], axis=1)
    logits, _ = model.apply(params, rows, real)
    # The logits at a position predict the next token, so those of completions start one early.
    logprobs = jax.nn.log_softmax(logits[:, prompts.tokens.shape[1] - 1 :])
    picked = jnp.take_along_axis(logprobs, tokens[..., None], axis=-1)[..., 0]
    return jnp.where(mask, picked, 0.0)
