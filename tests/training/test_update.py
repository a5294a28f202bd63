"""The update step: its loss and gradients, its memory, and what it leaves alone."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx
from jax.flatten_util import ravel_pytree

from jaxgap.models import (
    CharTokenizer,
    LanguageModel,
    LoraConfig,
    init_adapters,
    join_adapters,
    merge_adapters,
)
from jaxgap.sampling import TokenBatch
from jaxgap.training import (
    BatchShape,
    Computation,
    Examples,
    TrainingBatch,
    loss,
    loss_and_gradients,
    pack,
    training_loss,
    update,
)
from jaxgap.training.forward import packed_hidden_states

ONE_EXAMPLE_A_ROW = BatchShape(1, 8, 13)
WHOLE = BatchShape(1, 3, 24)
MICROBATCHES = BatchShape(5, 1, 24)

_gradients = jax.jit(loss_and_gradients, static_argnums=(0, 1))


def close(ours, expected, atol=3e-6):
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=2e-5, atol=atol), ours, expected
    )


@pytest.fixture(scope="module")
def expected(tiny_model, tiny_params, examples, plain_loss):
    loss = functools.partial(plain_loss, tiny_model, examples=examples)
    return jax.jit(jax.value_and_grad(loss))(tiny_params)


@pytest.mark.parametrize("shape", [ONE_EXAMPLE_A_ROW, WHOLE, MICROBATCHES])
def test_loss_and_gradients_are_the_plain_ones(tiny_model, tiny_params, examples, expected, shape):
    # In rows of one example, packed, and in microbatches of unequal numbers of targets, the last of
    # them empty.
    batch = pack(examples, shape)
    targets = (batch.weights > 0).sum((1, 2))
    assert shape is not MICROBATCHES or (len(set(targets.tolist())) > 2 and targets[-1] == 0)
    close(_gradients(tiny_model, Computation(), tiny_params, {}, batch), expected)
    np.testing.assert_allclose(
        training_loss(tiny_model, Computation(), tiny_params, batch), expected[0], rtol=1e-6
    )


@pytest.mark.parametrize(
    "policy",
    [
        jax.checkpoint_policies.nothing_saveable,
        jax.checkpoint_policies.dots_with_no_batch_dims_saveable,
    ],
)
def test_rematerialisation_changes_no_result(tiny_model, tiny_params, examples, expected, policy):
    computation = Computation(remat_policy=policy)
    batch = pack(examples, WHOLE)
    close(_gradients(tiny_model, computation, tiny_params, {}, batch), expected)


def test_a_token_sees_its_own_text_up_to_itself_and_nothing_else(tiny_model, tiny_params):
    decoder = nnx.merge(tiny_model.graphdef, tiny_params)
    tokens = jnp.arange(12)[None] % 5
    segments = jnp.array([[1, 1, 1, 2, 2, 2, 2, 2, 3, 3, 0, 0]])
    before = packed_hidden_states(decoder, decoder.embed(tokens), segments, None)
    for place in range(12):
        changed = tokens.at[0, place].add(5)
        after = packed_hidden_states(decoder, decoder.embed(changed), segments, None)
        moved = np.abs(after - before).max(-1)[0] > 1e-6
        sees = (segments[0] == segments[0, place]) & (jnp.arange(12) >= place)
        np.testing.assert_array_equal(moved, sees)


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
    close(step.trainable, optax.apply_updates(tiny_params, updates), atol=1e-4)
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


def test_half_precision_keeps_parameters_in_float32(tiny_model, tiny_params, examples, expected):
    batch = pack(examples, MICROBATCHES)
    computation = Computation(dtype=jnp.dtype(jnp.bfloat16))
    value, gradients = _gradients(tiny_model, computation, tiny_params, {}, batch)
    np.testing.assert_allclose(value, expected[0], rtol=1e-2)
    ours, theirs = (ravel_pytree(tree)[0] for tree in (gradients, expected[1]))
    assert ours.dtype == jnp.float32
    assert ours @ theirs > 0.999 * jnp.linalg.norm(ours) * jnp.linalg.norm(theirs)


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


@pytest.mark.parametrize("tied", [pytest.param(False, marks=pytest.mark.slow), True])
def test_half_precision_sums_a_token_that_is_everywhere(tiny_model, tied):
    # Equal terms: a sum of them in bfloat16 stands still at 256.
    config = dataclasses.replace(tiny_model.config, tie_embeddings=tied, context_length=600)
    model = LanguageModel(config, tiny_model.tokenizer)
    params = model.init(jax.random.key(0))
    prompts = TokenBatch(np.full((1, 1), 3), np.ones((1, 1), bool))
    completion = np.full((1, 599), 3)
    batch = pack(Examples(prompts, completion, completion > 0), BatchShape(1, 1, 600))

    def gradient(dtype):
        computation = Computation(jnp.dtype(dtype))
        return _gradients(model, computation, params, {}, batch)[1]["embedding"]["embedding"]

    ours, expected = gradient(jnp.bfloat16), gradient(jnp.float32)
    assert ours.dtype == jnp.float32
    assert jnp.linalg.norm(ours - expected) < 0.03 * jnp.linalg.norm(expected)


def test_what_is_not_finite_is_told(tiny_model, tiny_params, examples, optimizer):
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
