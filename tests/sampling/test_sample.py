"""Sampled completions: their probabilities, their independence, where they end."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgap.sampling import (
    TokenBatch,
    completion_logprobs,
    encode_prompts,
    row_uniforms,
    sample,
)

PROMPTS = ["1+2=", "34+5=", "7=", "60+60="]
NUM_CANDIDATES, MAX_NEW_TOKENS = 3, 6


@pytest.fixture(scope="module")
def sharp_params(tiny_params):
    """Parameters whose next-token distribution is far from uniform."""
    return jax.tree.map(lambda x: 4 * x, tiny_params)


@pytest.fixture(scope="module")
def uniforms():
    rows = len(PROMPTS) * NUM_CANDIDATES
    return row_uniforms(jax.random.key(0), jnp.arange(rows), MAX_NEW_TOKENS)


@pytest.fixture(scope="module")
def prompts(tiny_model):
    return encode_prompts(tiny_model.tokenizer, PROMPTS, 7)


@pytest.fixture(scope="module")
def drawn(tiny_model, sharp_params, prompts, uniforms):
    return sample(tiny_model, sharp_params, prompts, uniforms, 1.0, num_candidates=NUM_CANDIDATES)


def _repeated(batch):
    return TokenBatch(*(np.repeat(part, NUM_CANDIDATES, axis=0) for part in batch))


def test_logprobs_are_the_full_forwards(tiny_model, sharp_params, prompts, drawn):
    scored = completion_logprobs(
        tiny_model, sharp_params, _repeated(prompts), drawn.tokens, drawn.completion_mask
    )
    np.testing.assert_allclose(drawn.logprobs, scored, atol=1e-4)


def test_logprobs_are_at_temperature_one(tiny_model, sharp_params, prompts, uniforms):
    hot = sample(tiny_model, sharp_params, prompts, uniforms, 2.5, num_candidates=NUM_CANDIDATES)
    scored = completion_logprobs(
        tiny_model, sharp_params, _repeated(prompts), hot.tokens, hot.completion_mask
    )
    np.testing.assert_allclose(hot.logprobs, scored, atol=1e-4)


def test_tokens_invert_the_cdf_of_the_full_forward(
    tiny_model, sharp_params, prompts, uniforms, drawn
):
    repeated = _repeated(prompts)
    tokens = np.concatenate([repeated.tokens, drawn.tokens], axis=1)
    mask = np.concatenate([repeated.mask, drawn.completion_mask], axis=1)
    logits, _ = tiny_model.apply(sharp_params, tokens, mask)
    predicting = np.asarray(jax.nn.softmax(logits), np.float64)[:, prompts.tokens.shape[1] - 1 :]
    cumulative = np.cumsum(predicting[:, :-1], axis=-1)
    distance = cumulative - np.asarray(uniforms)[..., None]
    expected = (distance <= 0).sum(-1)
    certain = np.asarray(drawn.completion_mask) & (np.abs(distance).min(-1) > 1e-4)
    assert certain.sum() > 20
    np.testing.assert_array_equal(np.asarray(drawn.tokens)[certain], expected[certain])


def test_a_row_ends_at_its_end_token(tiny_model, drawn):
    eos, pad = tiny_model.tokenizer.eos_id, tiny_model.tokenizer.pad_id
    lengths = np.asarray(drawn.completion_mask.sum(1))
    assert set(np.asarray(drawn.finished)) == {True, False}
    for tokens, length, finished in zip(drawn.tokens, lengths, drawn.finished, strict=True):
        assert (tokens[length:] == pad).all()
        assert eos not in tokens[: length - 1]
        assert (tokens[length - 1] == eos) == finished
        assert finished or length == MAX_NEW_TOKENS


def test_a_row_does_not_depend_on_its_batch_mates(
    tiny_model, sharp_params, prompts, uniforms, drawn
):
    alone = TokenBatch(prompts.tokens[1:2], prompts.mask[1:2])
    rows = slice(NUM_CANDIDATES, 2 * NUM_CANDIDATES)
    again = sample(
        tiny_model, sharp_params, alone, uniforms[rows], 1.0, num_candidates=NUM_CANDIDATES
    )
    np.testing.assert_array_equal(again.tokens, drawn.tokens[rows])
    np.testing.assert_allclose(again.logprobs, drawn.logprobs[rows], atol=1e-4)


def test_wider_padding_changes_nothing(tiny_model, sharp_params, uniforms, drawn):
    wider = encode_prompts(tiny_model.tokenizer, PROMPTS, 11)
    again = sample(tiny_model, sharp_params, wider, uniforms, 1.0, num_candidates=NUM_CANDIDATES)
    np.testing.assert_array_equal(again.tokens, drawn.tokens)


def test_mean_uncertainty_is_the_entropy_of_an_enumerated_policy(tiny_model, sharp_params):
    # Cut after one token, a response is that token, so the policy can be written out.
    prompts = encode_prompts(tiny_model.tokenizer, ["1+2="], 4)
    num_draws = 4_000
    uniforms = row_uniforms(jax.random.key(5), jnp.arange(num_draws), 1)
    drawn = sample(tiny_model, sharp_params, prompts, uniforms, 1.0, num_candidates=num_draws)
    logits, _ = tiny_model.apply(sharp_params, *prompts)
    logprobs = np.asarray(jax.nn.log_softmax(logits[0, -1]), np.float64)
    entropy = -(np.exp(logprobs) * logprobs).sum()
    spread = np.sqrt((np.exp(logprobs) * (logprobs + entropy) ** 2).sum() / num_draws)
    assert abs(-np.asarray(drawn.logprobs).mean() - entropy) < 4 * spread


@pytest.mark.parametrize("text", ["", "123456789"])
def test_prompts_that_do_not_fit_are_refused(tiny_model, text):
    with pytest.raises(ValueError, match="must have 1 to 8 tokens"):
        encode_prompts(tiny_model.tokenizer, [text], 8)
