"""The update step: its loss and gradients, its memory, and what it leaves alone."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxgap.models import (
    CharTokenizer,
    LanguageModel,
    LoraConfig,
    init_adapters,
    join_adapters,
    merge_adapters,
)
from jaxgap.training import (
    BatchShape,
    Computation,
    TrainingBatch,
    loss,
    pack,
    update,
)

MICROBATCHES = BatchShape(5, 1, 24)


def test_a_step_is_optax_on_the_plain_gradients(
    tiny_model, tiny_params, examples, expected, optimizer
):
    transformation = optimizer.transformation()
    opt_state = transformation.init(tiny_params)
    updates, _ = transformation.update(expected[1], opt_state, tiny_params)
    batch = pack(examples, MICROBATCHES)
    # The step donates its buffers.
    copies = jax.tree.map(jnp.copy, (tiny_params, opt_state))
    step = update(tiny_model, optimizer, Computation(), copies[0], {}, copies[1], batch)
    # Adam divides by the gradient's own size, so that tiny gradients magnify rounding.
    jax.tree.map(
        functools.partial(np.testing.assert_allclose, rtol=2e-5, atol=1e-4),
        step.trainable,
        optax.apply_updates(tiny_params, updates),
    )
    np.testing.assert_allclose(step.loss, expected[0], rtol=1e-6)
    np.testing.assert_allclose(step.gradient_norm, optax.tree.norm(expected[1]), rtol=1e-5)


def test_the_same_step_gives_the_same_bytes(tiny_model, tiny_params, examples, optimizer):
    batch = pack(examples, MICROBATCHES)

    def weights():
        params = jax.tree.map(jnp.copy, tiny_params)
        opt_state = optimizer.transformation().init(params)
        step = update(tiny_model, optimizer, Computation(), params, {}, opt_state, batch)
        return jax.device_get(step.trainable)

    jax.tree.map(np.testing.assert_array_equal, weights(), weights())


def test_adapters_alone_are_trained_and_merging_them_changes_nothing(
    tiny_model, tiny_params, examples, optimizer
):
    lora = LoraConfig.uniform(2, alpha=4.0)
    model = LanguageModel(tiny_model.config, tiny_model.tokenizer, lora)
    adapters = init_adapters(tiny_model.config, lora, jax.random.key(1))
    before = jax.device_get(tiny_params)
    opt_state = optimizer.transformation().init(adapters)
    assert sum(leaf.size for leaf in jax.tree.leaves(opt_state)) < 3 * sum(
        leaf.size for leaf in jax.tree.leaves(adapters)
    )
    batch = pack(examples, MICROBATCHES)
    losses = []
    for _ in range(20):
        step = update(model, optimizer, Computation(), adapters, tiny_params, opt_state, batch)
        adapters, opt_state = step.trainable, step.opt_state
        losses.append(float(step.loss))
    assert losses[-1] < 0.9 * losses[0]
    jax.tree.map(np.testing.assert_array_equal, before, jax.device_get(tiny_params))
    merged = merge_adapters(tiny_params, adapters, lora)
    tokens, mask = examples.prompts
    joined = join_adapters(tiny_params, adapters)
    ours, _ = model.apply(joined, tokens, mask)
    theirs, _ = tiny_model.apply(merged, tokens, mask)
    np.testing.assert_allclose(ours[:, -1], theirs[:, -1], atol=1e-4)


@pytest.mark.parametrize("dtype", [jnp.bfloat16, pytest.param(jnp.float16, marks=pytest.mark.slow)])
def test_parameters_too_coarse_for_small_steps_are_refused(
    tiny_model, tiny_params, examples, optimizer, dtype
):
    """At a learning rate of 1e-5 few numbers in bf16 move at all."""
    batch = pack(examples, MICROBATCHES)
    narrow = jax.tree.map(lambda leaf: leaf.astype(dtype), tiny_params)
    opt_state = optimizer.transformation().init(narrow)
    message = rf"trainable must be in float32, got {jnp.dtype(dtype)} at \['blocks'\].*; load the"
    with pytest.raises(ValueError, match=message):
        update(tiny_model, optimizer, Computation(), narrow, {}, opt_state, batch)
    # What is held may be coarse.
    lora = LoraConfig.uniform(2, alpha=4.0)
    model = LanguageModel(tiny_model.config, tiny_model.tokenizer, lora)
    adapters = init_adapters(tiny_model.config, lora, jax.random.key(1))
    opt_state = optimizer.transformation().init(adapters)
    step = update(model, optimizer, Computation(), adapters, narrow, opt_state, batch)
    assert {leaf.dtype for leaf in jax.tree.leaves(step.trainable)} == {jnp.dtype(jnp.float32)}


def test_numbers_that_are_not_finite_are_reported(tiny_model, tiny_params, examples, optimizer):
    params = jax.tree.map(jnp.copy, tiny_params)
    params["norm"]["scale"] = params["norm"]["scale"].at[0].set(jnp.nan)
    opt_state = optimizer.transformation().init(params)
    batch = pack(examples, MICROBATCHES)
    step = update(tiny_model, optimizer, Computation(), params, {}, opt_state, batch)
    assert not np.isfinite(step.loss)
    assert not np.isfinite(step.gradient_norm)


def test_memory_stays_below_the_logits_of_a_batch(tiny_model, optimizer, monkeypatch):
    # A vocabulary that outweighs everything else in the model; chunks of a 64th of the batch.
    vocab, rows, length = 65_536, 32, 64
    tokenizer = CharTokenizer("".join(map(chr, range(0x10000, 0x10000 + vocab - 2))))
    config = dataclasses.replace(tiny_model.config, vocab_size=vocab)
    model = LanguageModel(config, tokenizer)
    monkeypatch.setattr(loss, "_MAX_LOGITS", rows * vocab)
    whole = jax.ShapeDtypeStruct((1, rows, length), jnp.int32)
    batch = TrainingBatch(*[whole] * 4, jax.ShapeDtypeStruct(whole.shape, jnp.float32))
    params = model.shapes()
    opt_state = jax.eval_shape(optimizer.transformation().init, params)
    lowered = update.lower(model, optimizer, Computation(), params, {}, opt_state, batch)
    memory = lowered.compile().memory_analysis()
    assert 0 < memory.temp_size_in_bytes < rows * length * vocab * 4 / 7
    # Parameters and moments are updated in place.
    held = sum(4 * leaf.size for leaf in jax.tree.leaves((params, opt_state)))
    assert memory.alias_size_in_bytes >= held
