"""Inverse-CDF sampling has the softmax's distribution, and each row its own stream."""

import jax
import jax.numpy as jnp
import numpy as np
from scipy import stats

from jaxgap.sampling import inverse_cdf, row_uniforms

LOGITS = jnp.array([0.0, 1.5, -jnp.inf, -2.0, 0.7])


def _probabilities(temperature):
    weights = np.exp(np.asarray(LOGITS, np.float64) / temperature)
    return weights / weights.sum()


def test_frequencies_follow_the_softmax():
    num_draws = 20_000
    uniforms = row_uniforms(jax.random.key(0), jnp.arange(num_draws), 1)[:, 0]
    for temperature in (1.0, 0.5, 3.0):
        drawn = inverse_cdf(jnp.tile(LOGITS, (num_draws, 1)), uniforms, temperature)
        expected = _probabilities(temperature) * num_draws
        counts = np.bincount(drawn, minlength=5)
        assert counts[2] == 0
        possible = expected > 0
        assert stats.chisquare(counts[possible], expected[possible]).pvalue > 0.001


def test_equals_numpys_inverse_cdf():
    logits = np.random.default_rng(0).normal(size=(500, 37)).astype(np.float32) * 3
    uniforms = np.random.default_rng(1).random(500, dtype=np.float32)
    weights = np.exp(logits.astype(np.float64))
    cumulative = np.cumsum(weights / weights.sum(axis=1, keepdims=True), axis=1)
    expected = [
        np.searchsorted(row, uniform, side="right")
        for row, uniform in zip(cumulative, uniforms, strict=True)
    ]
    drawn = np.asarray(inverse_cdf(jnp.asarray(logits), jnp.asarray(uniforms), 1.0))
    # Rounding may move a draw only where the uniform lies on a boundary.
    boundary = np.abs(cumulative - uniforms[:, None]).min(axis=1) < 1e-5
    assert (drawn == expected)[~boundary].all()
    assert boundary.mean() < 0.05


def test_the_ends_of_the_unit_interval_are_tokens_of_some_weight():
    uniforms = jnp.array([0.0, np.nextafter(np.float32(1), np.float32(0))])
    logits = jnp.tile(jnp.array([-jnp.inf, 0.0, 1.0, -jnp.inf]), (2, 1))
    assert inverse_cdf(logits, uniforms, 1.0).tolist() == [1, 2]


def test_a_stream_depends_on_its_own_row_id_only():
    key = jax.random.key(3)
    together = row_uniforms(key, jnp.arange(8), 5)
    np.testing.assert_array_equal(
        row_uniforms(key, jnp.array([6, 2]), 5), together[jnp.array([6, 2])]
    )
    np.testing.assert_array_equal(row_uniforms(key, jnp.arange(8), 3), together[:, :3])
    assert len(np.unique(together)) == together.size


def test_uniforms_are_uniform():
    uniforms = np.asarray(row_uniforms(jax.random.key(4), jnp.arange(2_000), 5)).ravel()
    assert ((uniforms >= 0) & (uniforms < 1)).all()
    assert stats.kstest(uniforms, "uniform").pvalue > 0.001
