"""The loss and its gradients, in microbatches, against the plain loss of one example at a time."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

from jaxgap.models import LanguageModel, LoraConfig, init_adapters, join_adapters
from jaxgap.sampling import TokenBatch
from jaxgap.training import (
    BatchShape,
    Computation,
    Examples,
    loss_and_gradients,
    pack,
    training_loss,
)

ONE_EXAMPLE_A_ROW = BatchShape(1, 8, 13)
WHOLE = BatchShape(1, 3, 24)
MICROBATCHES = BatchShape(5, 1, 24)

_gradients = jax.jit(loss_and_gradients, static_argnums=(0, 1))


def close(ours, expected, atol=3e-6):
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=2e-5, atol=atol), ours, expected
    )


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


def test_gradients_are_of_the_trainable_parameters_alone(tiny_model, tiny_params, examples):
    lora = LoraConfig.uniform(2, alpha=4.0)
    model = LanguageModel(tiny_model.config, tiny_model.tokenizer, lora)
    adapters = jax.tree.map(jnp.ones_like, init_adapters(model.config, lora, jax.random.key(1)))
    batch = pack(examples, MICROBATCHES)
    value, gradients = _gradients(model, Computation(), adapters, tiny_params, batch)
    joined = join_adapters(tiny_params, adapters)
    of_all = _gradients(model, Computation(), joined, {}, batch)
    assert jax.tree.structure(gradients) == jax.tree.structure(adapters)
    np.testing.assert_allclose(value, of_all[0], rtol=1e-6)
    everything = dict(jax.tree_util.tree_leaves_with_path(of_all[1]))
    for path, gradient in jax.tree_util.tree_leaves_with_path(gradients):
        np.testing.assert_allclose(gradient, everything[path], rtol=1e-4, atol=1e-6)


def test_half_precision_keeps_parameters_in_float32(tiny_model, tiny_params, examples, expected):
    batch = pack(examples, MICROBATCHES)
    computation = Computation(dtype=jnp.dtype(jnp.bfloat16))
    value, gradients = _gradients(tiny_model, computation, tiny_params, {}, batch)
    np.testing.assert_allclose(value, expected[0], rtol=1e-2)
    ours, theirs = (ravel_pytree(tree)[0] for tree in (gradients, expected[1]))
    assert ours.dtype == jnp.float32
    assert ours @ theirs > 0.999 * jnp.linalg.norm(ours) * jnp.linalg.norm(theirs)


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


@pytest.mark.parametrize("policy", [None, jax.checkpoint_policies.nothing_saveable])
def test_no_sum_in_half_precision(tiny_model, examples, policy):
    """Of biases and norms' scales neither, whose gradients are sums over all tokens."""
    config = dataclasses.replace(tiny_model.config, qkv_bias=True, qk_norm=True)
    model = LanguageModel(config, tiny_model.tokenizer)
    computation = Computation(jnp.dtype(jnp.bfloat16), policy)
    batch = pack(examples, MICROBATCHES)
    program = _gradients.lower(model, computation, model.shapes(), {}, batch).as_text()
    sums = [line for line in program.splitlines() if "applies stablehlo.add" in line]
    assert sums
    assert not [line for line in sums if "bf16" in line]
