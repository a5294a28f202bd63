"""The chunked cross-entropy against the plain one, and what it may not depend on."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from jaxgap.training import cross_entropy
from jaxgap.training import loss as module


def plain(hidden, kernel, targets, weights):
    logprobs = jax.nn.log_softmax(jnp.asarray(hidden @ kernel, jnp.float32))
    return -(jnp.take_along_axis(logprobs, targets[..., None], -1)[..., 0] * weights).sum()


@pytest.fixture
def problem():
    keys = jax.random.split(jax.random.key(0), 4)
    weights = jax.random.uniform(keys[3], (3, 10)).at[:, 7:].set(0).at[1, 2].set(0)
    return (
        jax.random.normal(keys[0], (3, 10, 6)),
        jax.random.normal(keys[1], (6, 17)),
        jax.random.randint(keys[2], (3, 10), 0, 17),
        weights,
    )


@pytest.mark.parametrize("positions", [1, 3, 4, 10])
def test_value_and_gradients_are_those_of_the_plain_loss(problem, positions, monkeypatch):
    # Chunks that divide the length, that do not, and a single one.
    monkeypatch.setattr(module, "_MAX_LOGITS", positions * 3 * 17)
    ours = jax.value_and_grad(cross_entropy, argnums=(0, 1, 3))(*problem)
    expected = jax.value_and_grad(plain, argnums=(0, 1))(*problem)
    np.testing.assert_allclose(ours[0], expected[0], rtol=1e-6)
    np.testing.assert_allclose(cross_entropy(*problem), expected[0], rtol=1e-6)
    np.testing.assert_allclose(ours[1][0], expected[1][0], atol=1e-6)
    np.testing.assert_allclose(ours[1][1], expected[1][1], atol=1e-6)


def test_gradients_agree_with_finite_differences(problem):
    hidden, kernel, targets, weights = problem

    def loss(hidden, kernel, weights):
        # A cotangent other than one.
        return jnp.sin(cross_entropy(hidden, kernel, targets, weights))

    check_grads(loss, (hidden, kernel, weights), 1, ["rev"], atol=2e-2, rtol=2e-2)


def test_large_logits_do_not_overflow(problem):
    hidden, kernel, targets, weights = problem
    value, gradient = jax.value_and_grad(cross_entropy)(200 * hidden, kernel, targets, weights)
    np.testing.assert_allclose(value, plain(200 * hidden, kernel, targets, weights), rtol=1e-5)
    assert np.isfinite(gradient).all()


def test_positions_without_weight_have_no_part(problem):
    hidden, kernel, targets, weights = problem
    silent = np.asarray(weights) == 0
    changed = jnp.where(silent[..., None], 5.0, hidden)
    assert cross_entropy(changed, kernel, targets, weights) == cross_entropy(*problem)
    by_hidden = jax.grad(cross_entropy)(*problem)
    assert (np.abs(by_hidden).sum(-1) == 0).tolist() == silent.tolist()


def test_half_precision_keeps_logits_and_loss_in_float32(problem):
    hidden, kernel, targets, weights = problem
    half = hidden.astype(jnp.bfloat16), kernel.astype(jnp.bfloat16)
    value, gradients = jax.value_and_grad(cross_entropy, argnums=(0, 1))(*half, targets, weights)
    rounded = [part.astype(jnp.float32) for part in half]
    expected = jax.value_and_grad(plain, argnums=(0, 1))(*rounded, targets, weights)
    assert value.dtype == jnp.float32
    np.testing.assert_allclose(value, expected[0], rtol=1e-5)
    for ours, theirs in zip(gradients, expected[1], strict=True):
        assert ours.dtype == jnp.bfloat16
        np.testing.assert_allclose(ours.astype(jnp.float32), theirs, atol=3e-2)
