"""The model's own judgement is its normalised probability of the right word."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgap.improve import RandomVerifier, SelfVerifier
from jaxgap.improve.generate import generate
from jaxgap.improve.records import Prompts

TEMPLATE = "?{prompt}{completion}:"


@pytest.fixture
def drawn(tiny_model, tiny_params):
    prompts = Prompts.encode(tiny_model.tokenizer, ["1+2=", "30+4=", "5="])
    candidates = generate(
        tiny_model, tiny_params, prompts, jax.random.key(0),
        num_candidates=4, max_new_tokens=3, prompts_per_call=2,
    )  # fmt: skip
    return prompts, candidates


def test_score_is_the_normalised_probability(tiny_model, tiny_params, drawn):
    prompts, candidates = drawn
    verifier = SelfVerifier(tiny_model, TEMPLATE, "T", "F", rows_per_call=5)
    scores = verifier(tiny_params, prompts, candidates, jax.random.key(1))
    assert scores.shape == (3, 4)
    right, wrong = tiny_model.tokenizer.encode("TF")
    for p in range(3):
        for c in range(4):
            text = TEMPLATE.format(prompt=prompts.texts[p], completion=candidates.texts[p][c])
            tokens = jnp.array([tiny_model.tokenizer.encode(text)])
            logits, _ = tiny_model.apply(tiny_params, tokens, jnp.ones_like(tokens, bool))
            probabilities = jax.nn.softmax(logits[0, -1])
            expected = probabilities[right] / (probabilities[right] + probabilities[wrong])
            np.testing.assert_allclose(scores[p, c], expected, atol=1e-5)


def test_how_many_are_judged_at_a_time_does_not_matter(tiny_model, tiny_params, drawn):
    verifier = SelfVerifier(tiny_model, TEMPLATE, "T", "F", rows_per_call=12)
    other = dataclasses.replace(verifier, rows_per_call=5)
    key = jax.random.key(1)
    np.testing.assert_allclose(
        verifier(tiny_params, *drawn, key), other(tiny_params, *drawn, key), atol=1e-6
    )


def test_words_must_be_single_tokens(tiny_model):
    with pytest.raises(ValueError, match="right must be a single token, got 'TT'"):
        SelfVerifier(tiny_model, TEMPLATE, "TT", "F", rows_per_call=4)


def test_random_scores_depend_on_the_key_alone(tiny_params, drawn):
    verifier = RandomVerifier()
    scores = verifier(tiny_params, *drawn, jax.random.key(1))
    assert ((scores >= 0) & (scores < 1)).all()
    np.testing.assert_array_equal(scores, verifier({}, *drawn, jax.random.key(1)))
    assert (scores != verifier(tiny_params, *drawn, jax.random.key(2))).all()
