"""Training touches the tokens of selected completions and nothing else."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgap.improve.records import Candidates, Prompts, Selected, TrainingSet
from jaxgap.improve.train import Examples, train, training_loss
from jaxgap.sampling import TokenBatch, completion_logprobs


@pytest.fixture
def examples(tiny_model):
    prompts = Prompts.encode(tiny_model.tokenizer, ["1+2=", "33+4="]).batch
    eos, pad = tiny_model.tokenizer.eos_id, tiny_model.tokenizer.pad_id
    tokens = np.array([[3, eos, pad], [3, 7, eos]])
    return Examples(prompts, tokens, tokens != pad)


def test_the_loss_is_the_mean_total_uncertainty(tiny_model, tiny_params, examples):
    expected = []
    for row in range(2):
        prompt = examples.prompts.tokens[row][examples.prompts.mask[row]].tolist()
        completion = examples.tokens[row][examples.mask[row]].tolist()
        tokens = jnp.array([prompt + completion])
        logits, _ = tiny_model.apply(tiny_params, tokens, jnp.ones_like(tokens, bool))
        logprobs = jax.nn.log_softmax(logits[0])
        places = range(len(prompt) - 1, len(prompt) + len(completion) - 1)
        expected.append(-sum(logprobs[i, tokens[0, i + 1]] for i in places))
    loss = training_loss(tiny_model, tiny_params, examples)
    np.testing.assert_allclose(loss, np.mean(expected), rtol=1e-5)


def test_no_gradient_from_prompt_or_padding_targets(tiny_model, tiny_params, examples):
    # The gradient by the logits is zero at every position that does not predict a completion token.
    def by_logits(added):
        class Shifted:
            tokenizer = tiny_model.tokenizer

            def apply(self, params, tokens, mask):
                logits, cache = tiny_model.apply(params, tokens, mask)
                return logits + added, cache

        return -completion_logprobs(Shifted(), tiny_params, *examples).sum()

    width = examples.prompts.tokens.shape[1] + examples.tokens.shape[1] - 1
    gradient = jax.grad(by_logits)(jnp.zeros((2, width, tiny_model.config.vocab_size)))
    touched = np.abs(gradient).sum(-1) > 0
    prompt_length = examples.prompts.tokens.shape[1]
    assert not touched[:, : prompt_length - 1].any()
    np.testing.assert_array_equal(touched[:, prompt_length - 1 :], examples.mask)


def test_candidates_that_were_not_selected_change_nothing(tiny_model, make_loop, tiny_params):
    loop = make_loop()
    prompts = loop.prompts("train")
    rng = np.random.default_rng(0)
    shape = (len(prompts), 3, 4)
    mask = np.ones(shape, bool)

    def weights_after(tokens):
        candidates = Candidates(tokens, mask, np.zeros(shape), mask[..., 0], texts=())
        index = np.arange(len(prompts)) % 3
        selected = Selected(index, np.zeros(len(prompts), bool))
        state = loop.init_state(jax.tree.map(jnp.copy, tiny_params))
        key = jax.random.key(1)
        state = train(
            tiny_model, loop.optimizer, state, prompts, TrainingSet.of(candidates, selected), key,
            epochs=1, batch_size=4,
        )  # fmt: skip
        return jax.device_get(state.params)

    tokens = rng.integers(0, 10, shape)
    others = rng.integers(0, 10, shape)
    rows = np.arange(len(prompts))
    others[rows, rows % 3] = tokens[rows, rows % 3]
    assert (others != tokens).any()
    jax.tree.map(np.testing.assert_array_equal, weights_after(tokens), weights_after(others))


def test_training_lowers_the_loss(tiny_model, make_loop, tiny_params):
    loop = make_loop()
    prompts = loop.prompts("train")
    tokens = np.tile(np.array([1, 2, tiny_model.tokenizer.eos_id]), (len(prompts), 1, 1))
    mask = np.ones(tokens.shape, bool)
    candidates = Candidates(tokens, mask, np.zeros(tokens.shape), mask[..., 0], texts=())
    selected = Selected(np.zeros(len(prompts), int), np.zeros(len(prompts), bool))
    examples = Examples(TokenBatch(*prompts.batch), tokens[:, 0], mask[:, 0])
    before = training_loss(tiny_model, tiny_params, examples)
    state = train(
        tiny_model, loop.optimizer, loop.init_state(tiny_params), prompts,
        TrainingSet.of(candidates, selected), jax.random.key(0), epochs=5, batch_size=4,
    )  # fmt: skip
    assert state.round_index == 1
    assert training_loss(tiny_model, state.params, examples) < 0.5 * before
