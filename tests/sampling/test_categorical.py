"""Inverse-CDF sampling has the softmax's distribution, and each row its own stream."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from jaxgap.sampling import block_sums, inverse_cdf, row_uniforms

LOGITS = jnp.array([0.0, 1.5, -jnp.inf, -2.0, 0.7])


def _probabilities(temperature):
    weights = np.exp(np.asarray(LOGITS, np.float64) / temperature)
    return weights / weights.sum()


def _drawn(logits, uniforms, temperature):
    return inverse_cdf(logits, uniforms, block_sums(logits, logits.max(-1), temperature))


def _uniforms(key, num_rows, num_steps):
    steps = jnp.broadcast_to(jnp.arange(num_steps), (num_rows, num_steps))
    return row_uniforms(key, jnp.arange(num_rows), steps)


@pytest.mark.parametrize("impl", ["threefry2x32", "rbg", "unsafe_rbg"])
def test_a_stream_is_its_own_under_every_key(impl):
    key = jax.random.key(1, impl=impl)
    together = _uniforms(key, 6, 9)
    assert len(np.unique(together)) == 54
    for row in range(6):
        alone = row_uniforms(key, jnp.array([row]), jnp.array([[7, 2]]))
        np.testing.assert_array_equal(alone[0], together[row, [7, 2]])


def test_frequencies_follow_the_softmax():
    num_draws = 20_000
    uniforms = _uniforms(jax.random.key(0), num_draws, 1)[:, 0]
    for temperature in (1.0, 0.5, 3.0):
        drawn = _drawn(jnp.tile(LOGITS, (num_draws, 1)), uniforms, temperature)
        expected = _probabilities(temperature) * num_draws
        counts = np.bincount(drawn, minlength=5)
        assert counts[2] == 0
        possible = expected > 0
        assert stats.chisquare(counts[possible], expected[possible]).pvalue > 0.001


@pytest.mark.parametrize("vocab_size", [37, 256, 700, 1024])
def test_equals_numpys_inverse_cdf(vocab_size):
    # Below, at and above the size of a block, and with a block that is not full.
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(500, vocab_size)).astype(np.float32) * 3
    uniforms = rng.random(500, dtype=np.float32)
    weights = np.exp(logits.astype(np.float64))
    cumulative = np.cumsum(weights / weights.sum(axis=1, keepdims=True), axis=1)
    expected = (cumulative <= uniforms[:, None]).sum(1)
    drawn = np.asarray(_drawn(jnp.asarray(logits), jnp.asarray(uniforms), 1.0))
    # Rounding may move a draw only where the uniform lies on a boundary.
    boundary = np.abs(cumulative - uniforms[:, None]).min(axis=1) < 1e-6
    assert (drawn == expected)[~boundary].all()
    assert boundary.mean() < 0.05


def test_the_ends_of_the_unit_interval_are_tokens_of_some_weight():
    uniforms = jnp.array([0.0, np.nextafter(np.float32(1), np.float32(0))])
    logits = jnp.tile(jnp.array([-jnp.inf, 0.0, 1.0, -jnp.inf]), (2, 1))
    assert _drawn(logits, uniforms, 1.0).tolist() == [1, 2]
    across_blocks = jnp.full((2, 1000), -jnp.inf).at[:, jnp.array([300, 600])].set(0.0)
    assert _drawn(across_blocks, uniforms, 1.0).tolist() == [300, 600]


def _all_but(num_kept, logits):
    """The logits with all but the largest of each row excluded, as a filter excludes them."""
    smallest = -np.sort(-logits, axis=1)[:, num_kept - 1 : num_kept]
    return jnp.asarray(np.where(logits >= smallest, logits, -np.inf))


def test_of_a_large_vocabulary_no_excluded_token_is_drawn():
    # XLA's cumulative sums over so many blocks fall in places, and rise over some of weight 0.
    logits = np.random.default_rng(1).normal(size=(64, 151_936)).astype(np.float32) * 3
    logits = _all_but(50, logits)
    drawn = _drawn(logits, jnp.full(64, 1 - 2.0**-24, jnp.float32), 1.0)
    assert jnp.isfinite(logits[jnp.arange(64), drawn]).all()


def test_a_uniform_on_a_boundary_draws_no_excluded_token():
    # What is left of this one in its block is a little less than nothing: compiled for many rows,
    # the product and the difference are one operation, which is rounded once.
    logits = (np.random.default_rng(0).normal(size=(64, 1000)) * 3).astype(np.float32)[9:10]
    logits = jnp.tile(_all_but(50, logits), (64, 1))
    draw = jax.jit(lambda logits, uniforms: _drawn(logits, uniforms, 1.0))
    drawn = draw(logits, jnp.full(64, 0.14010328, jnp.float32))
    assert jnp.isfinite(logits[0, drawn]).all()


def test_the_smallest_uniform_draws_no_word_that_is_less_probable():
    logits = jnp.array([[-20.0, 0.0], [-16.0, 0.0]])  # of probabilities 2e-9 and 1e-7
    assert _drawn(logits, jnp.full(2, 2.0**-24), 1.0).tolist() == [1, 0]


def test_a_stream_depends_on_its_own_row_id_only():
    key = jax.random.key(3)
    together = _uniforms(key, 8, 5)
    steps = jnp.array([[0, 1, 2], [2, 3, 4]])
    apart = row_uniforms(key, jnp.array([6, 2]), steps)
    np.testing.assert_array_equal(apart, jnp.stack([together[6, :3], together[2, 2:]]))
    assert len(np.unique(together)) == together.size


def test_uniforms_are_uniform():
    uniforms = np.asarray(_uniforms(jax.random.key(4), 2_000, 5)).ravel()
    assert ((uniforms > 0) & (uniforms < 1)).all()
    assert (uniforms * 2**24 % 2 == 1).all()  # each in the middle of its cell
    assert stats.kstest(uniforms, "uniform").pvalue > 0.001
