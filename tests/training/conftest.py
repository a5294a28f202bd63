"""Examples of unequal length for the small model, and the plain loss they are checked against."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgap.sampling import TokenBatch
from jaxgap.training import AdamW, Constant, Examples


@pytest.fixture(scope="session")
def examples(tiny_model) -> Examples:
    """Eight prompts of 1 to 8 tokens with completions of 1 to 6; one completion is empty."""
    rng = np.random.default_rng(0)
    prompt_lengths = [3, 8, 1, 5, 4, 7, 2, 6]
    lengths = [6, 1, 4, 2, 5, 3, 0, 6]
    prompts = rng.integers(0, 12, (8, 8)).astype(np.int32)
    tokens = rng.integers(0, 12, (8, 6)).astype(np.int32)
    prompt_mask = np.arange(8) >= 8 - np.array(prompt_lengths)[:, None]
    mask = np.arange(6) < np.array(lengths)[:, None]
    pad = tiny_model.tokenizer.pad_id
    return Examples(
        TokenBatch(np.where(prompt_mask, prompts, pad), prompt_mask),
        np.where(mask, tokens, pad),
        mask,
    )


@pytest.fixture(scope="session")
def optimizer() -> AdamW:
    return AdamW(Constant(1e-2), weight_decay=0.1, clip_norm=0.5)


@pytest.fixture(scope="session")
def plain_loss():
    """The loss one example at a time, unpadded, from all of its logits."""

    def loss(model, params, examples):
        total = 0.0
        for row in range(len(examples.tokens)):
            prompt = examples.prompts.tokens[row][examples.prompts.mask[row]]
            completion = examples.tokens[row][examples.completion_mask[row]]
            tokens = jnp.concatenate([prompt, completion])[None]
            logits, _ = model.apply(params, tokens, jnp.ones_like(tokens, bool))
            logprobs = jax.nn.log_softmax(logits[0, len(prompt) - 1 : -1])
            total -= jnp.take_along_axis(logprobs, completion[:, None], 1).sum()
        return total / len(examples.tokens)

    return loss


@pytest.fixture(scope="session")
def expected(tiny_model, tiny_params, examples, plain_loss):
    """The plain loss of the examples, and its gradients."""
    loss = functools.partial(plain_loss, tiny_model, examples=examples)
    return jax.jit(jax.value_and_grad(loss))(tiny_params)
