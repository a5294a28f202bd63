"""Training touches the tokens of selected completions and nothing else."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgap.improve import train as module
from jaxgap.improve.faults import NotFinite
from jaxgap.improve.round_records import Candidates, Selected, TrainingSet
from jaxgap.improve.train import train
from jaxgap.training import BatchShape, Computation, Examples, pack, training_loss


def test_candidates_that_were_not_selected_change_nothing(tiny_model, make_loop, tiny_params):
    loop = make_loop()
    prompts = loop.train_prompts
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
            tiny_model, loop.optimizer, loop.computation, state, {}, prompts,
            TrainingSet.of(candidates, selected), key,
            epochs=1, batch_size=4, microbatch_size=3, max_new_tokens=4,
        )  # fmt: skip
        return jax.device_get(state.params)

    tokens = rng.integers(0, 10, shape)
    others = rng.integers(0, 10, shape)
    rows = np.arange(len(prompts))
    others[rows, rows % 3] = tokens[rows, rows % 3]
    assert (others != tokens).any()
    jax.tree.map(np.testing.assert_array_equal, weights_after(tokens), weights_after(others))


def test_rows_are_no_longer_than_the_context(tiny_model, make_loop, tiny_params, monkeypatch):
    loop, lengths = make_loop(), []
    prompts = loop.train_prompts
    tokens, mask = np.ones((2, len(prompts), 3), int)

    def listened(examples, shape):
        lengths.append(shape.row_length)
        return pack(examples, shape)

    monkeypatch.setattr(module, "pack", listened)
    for most in (3, 1_000_000):
        train(
            tiny_model, loop.optimizer, loop.computation,
            loop.init_state(jax.tree.map(jnp.copy, tiny_params)), {}, prompts,
            TrainingSet(tokens, mask.astype(bool)), jax.random.key(0),
            epochs=1, batch_size=len(prompts), microbatch_size=4, max_new_tokens=most,
        )  # fmt: skip
    width = prompts.batch.tokens.shape[1]
    assert lengths == [width + 2, tiny_model.config.context_length - 1]


def test_training_lowers_the_loss(tiny_model, make_loop, tiny_params):
    loop = make_loop()
    prompts = loop.train_prompts
    tokens = np.tile(np.array([1, 2, tiny_model.tokenizer.eos_id]), (len(prompts), 1, 1))
    mask = np.ones(tokens.shape, bool)
    candidates = Candidates(tokens, mask, np.zeros(tokens.shape), mask[..., 0], texts=())
    selected = Selected(np.zeros(len(prompts), int), np.zeros(len(prompts), bool))
    batch = pack(Examples(prompts.batch, tokens[:, 0], mask[:, 0]), BatchShape(1, 12, 12))
    before = training_loss(tiny_model, Computation(), tiny_params, batch)
    state = train(
        tiny_model, loop.optimizer, loop.computation, loop.init_state(tiny_params), {}, prompts,
        TrainingSet.of(candidates, selected), jax.random.key(0),
        epochs=5, batch_size=4, microbatch_size=4, max_new_tokens=3,
    )  # fmt: skip
    assert state.round_index == 1
    assert training_loss(tiny_model, Computation(), state.params, batch) < 0.5 * before


def test_what_is_said_of_a_round_is_what_its_steps_said(
    tiny_model, make_loop, tiny_params, monkeypatch
):
    loop, update, said = make_loop(schedule="linear", warm_up_steps=3), module.update, []
    prompts = loop.train_prompts
    tokens, mask = np.ones((2, len(prompts), 3), int)

    def listened(*parts):
        said.append(update(*parts))
        return said[-1]

    monkeypatch.setattr(module, "update", listened)
    state = loop.init_state(tiny_params)
    rate = loop.optimizer.schedule.as_optax()
    for num_done in (1, 2):
        said.clear()
        state = train(
            tiny_model, loop.optimizer, loop.computation, state, {}, prompts,
            TrainingSet(tokens, mask.astype(bool)), jax.random.key(0),
            epochs=2, batch_size=4, microbatch_size=4, max_new_tokens=3,
        )  # fmt: skip
        losses, norms = (
            [float(getattr(step, name)) for step in said] for name in ("loss", "gradient_norm")
        )
        assert len(set(losses)) == len(said) > 1
        assert state.training.loss == pytest.approx(np.mean(losses))
        assert state.training.gradient_norm == max(norms)
        assert state.training.learning_rate == rate(num_done * len(said) - 1)


def test_a_gradient_too_large_to_measure_is_reported(
    tiny_model, make_loop, tiny_params, monkeypatch
):
    loop, update = make_loop(), module.update
    prompts = loop.train_prompts
    tokens, mask = np.ones((2, len(prompts), 3), int)
    monkeypatch.setattr(
        module, "update", lambda *parts: update(*parts)._replace(gradient_norm=jnp.float32(jnp.inf))
    )
    with pytest.raises(NotFinite, match="a training gradient in round 0 is NaN or infinite"):
        train(
            tiny_model, loop.optimizer, loop.computation, loop.init_state(tiny_params), {}, prompts,
            TrainingSet(tokens, mask.astype(bool)), jax.random.key(0),
            epochs=1, batch_size=4, microbatch_size=4, max_new_tokens=3,
        )  # fmt: skip
